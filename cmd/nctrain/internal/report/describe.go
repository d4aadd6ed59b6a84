package report

import "nctrain/cmd/nctrain/internal/table"

// meaning says what a number is, and what it becomes under complete collapse.
type meaning struct{ text, atCollapse string }

// meanings of SPEC 4's numbers, by "metric.variant".
var meanings = map[string]meaning{
	"accuracy.train":             {"training accuracy without augmentation, percent", "100"},
	"accuracy.test":              {"test accuracy, percent", ""},
	"nc1.rank":                   {"tr(S_W S_B⁺)/C over the min(C−1, D) directions of S_B", "0"},
	"nc1.notebook":               {"the same about the mean of all samples, with float32's cut of small eigenvalues", "0"},
	"nc1.papyan_code":            {"rank, not divided by C, as in the authors' code", "0"},
	"nc1.quotient":               {"tr S_W / tr S_B", "0"},
	"nc1.quotient_train_means":   {"test rows about the class means of training, over tr S_B of training", "0"},
	"nc1.cdnv":                   {"variances over squared distances, mean over pairs of classes", "0"},
	"nc2.equinorm":               {"std/mean of the lengths of the centred class means", "0"},
	"nc2.equinorm_weights":       {"the same of the classifier's rows", "0"},
	"nc2.equiangularity":         {"mean |cos + 1/(C−1)| between centred class means", "0"},
	"nc2.equiangularity_weights": {"the same of the classifier's rows", "0"},
	"nc2.etf_error":              {"distance of the means' normalised Gram matrix from the ETF's", "0"},
	"nc2.etf_error_weights":      {"the same of the classifier's rows", "0"},
	"nc2.welch_cosine":           {"no ETF fits into D dimensions: the smallest largest |cos| that does (Welch)", ""},
	"nc2.etf_error_min":          {"no ETF fits into D dimensions: the smallest etf_error that does", ""},
	"nc3.papyan":                 {"squared distance of normalised classifier and normalised means", "0"},
	"nc3.row_l2":                 {"mean distance of unit classifier row and unit class mean, the notebook's", "0"},
	"nc3.mean_cos":               {"mean cosine of classifier row and class mean", "1"},
	"nc3.duality_etf":            {"distance of the normalised W Mᵀ from the ETF's Gram matrix", "0"},
	"nc3.bias_collapse":          {"‖W μ_G + b‖: what the bias leaves of the global mean's logits", "0"},
	"nc3.duality_etf_min":        {"no ETF fits into D dimensions: the smallest duality_etf that does", ""},
	"nc4.train":                  {"share of training rows that the network and the nearest class mean call differently", "0"},
	"nc4.test":                   {"the same of test rows", "0"},
	"nc5.raw":                    {"mean |cos| of class means and OOD mean, the paper's", "0"},
	"nc5.centred":                {"the same with the global mean taken off both, the notebook's", "0"},
	"nc5.etf_energy":             {"share of the centred OOD mean in the span of the class means", "0"},
	"nc5.upper_bound":            {"to read centred by: no direction has more; 1/√(C−1) for an ETF", "1/√(C−1)"},
	"nc5.chance":                 {"to read raw and centred by: a random direction's mean |cos|, √(2/(πD))", ""},
	"nc5.etf_energy_chance":      {"to read etf_energy by: a random direction's share, min(C−1, D)/D", ""},
}

// direction tells which way a detection metric is better.
type direction int

const (
	higher direction = 1
	lower  direction = -1
)

// detectionColumns are SPEC 6's metrics as the tables show them. The AURC of a good classifier is of hundredths of a percent.
var detectionColumns = []struct {
	key, name string
	better    direction
	format    func(float64) string
	text      string
}{
	{"auroc", "AUROC", higher, table.Percent, "probability that an ID row scores above an OOD row, ties half; 50 is a coin, and the same whichever class is positive"},
	{"fpr95_ood_pos", "FPR95", lower, table.Percent, "OOD positive (the notebook, OpenOOD): share of ID rows rejected where 95 % of OOD is found"},
	{"fpr95_id_pos", "FPR95 ID+", lower, table.Percent, "ID positive (ViM, NECO): share of OOD rows accepted where 95 % of ID is kept"},
	{"aupr_out", "AUPR out", higher, table.Percent, "average precision with OOD positive; a useless score has the base rate of OOD"},
	{"aupr_in", "AUPR in", higher, table.Percent, "average precision with ID positive; a useless score has the share of ID"},
	{"aupr_out_trapz", "AUPR out trapz", higher, table.Percent, "AUPR out by trapezoids, as OpenOOD, ViM and pytorch-ood sum it"},
	{"aupr_in_trapz", "AUPR in trapz", higher, table.Percent, "AUPR in by trapezoids"},
	{"oscr", "OSCR", higher, table.Percent, "share of pairs in which the ID row is classified correctly and scores above the OOD row; at most the ID accuracy"},
	{"aurc", "AURC", lower, table.Number, "error of the classifier over the ID rows of largest score, mean over how many; the same for every OOD set"},
}
