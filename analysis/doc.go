// Package analysis is the seam between whatever produces features and everything that is computed from them.
//
// Data flows one way:
//
//	Source (rows in memory, files and shards, a network)       this package
//	   -> stats.Collect: one sweep, class moments in float64    analysis/stats
//	   -> nc.Compute: neural collapse NC1..NC5                  analysis/nc
//	   -> ood.Compute: OOD detectors and detection metrics      analysis/ood
//	   -> figures                                               analysis/figures
//
// A [Source] hands over blocks of rows (features, logits, labels) as float64 and can be swept more than once, so a file larger than memory, a
// network and a test fixture look the same. A source whose class sums are accumulated already (on a device) says so through stats.Summed
// and is then not swept for them. A [Head] is the last linear layer. Results are structs whose JSON is the one of the SPEC, section 9:
// they are made of [Values], ordered named numbers in which an undefined one is null and carries its reason.
//
// Nothing here knows of networks or devices; nothing prints.
package analysis
