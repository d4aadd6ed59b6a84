package report

import (
	"fmt"
	"html/template"
	"regexp"
	"strconv"
	"strings"
)

var (
	svgRoot = regexp.MustCompile(`(?s)^.*?<svg width="([0-9.]+)pt" height="([0-9.]+)pt" viewBox="[^"]*"\s*xmlns="[^"]*"\s*xmlns:xlink="[^"]*">`)
	// gonum says the whole font with every text: in the page a style sheet says it once.
	svgFont    = regexp.MustCompile(`\s+style="font-family:Liberation Sans,[^;]*;font-variant:normal;font-weight:normal;font-style:normal;font-size:([0-9.]+)px"`)
	svgPlaces  = regexp.MustCompile(` (?:d|x|y|width|height)="[^"]*"`)
	svgNumbers = regexp.MustCompile(`\d+\.\d{2,}`)
)

// inline makes an SVG file of package figures a part of an HTML page: without XML's head and namespaces, which HTML brings, with a label for those who do not see it, and
// with places to a tenth of a point, a seventh of a pixel where it stands largest.
func inline(file, label string) template.HTML {
	width, height := "990", "580"
	if m := svgRoot.FindStringSubmatch(file); m != nil {
		width, height = m[1], m[2]
		file = file[len(m[0]):]
	}
	file = svgFont.ReplaceAllString(file, ` font-size="$1"`)
	file = svgPlaces.ReplaceAllStringFunc(file, func(places string) string { return svgNumbers.ReplaceAllStringFunc(places, tenths) })
	open := fmt.Sprintf(`<svg viewBox="0 0 %s %s" style="--w:%s" role="img" aria-label="%s">`, width, height, width, template.HTMLEscapeString(label))
	return template.HTML(open + file)
}

func tenths(number string) string {
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return number // not met: the expression matches digits and one dot
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(x, 'f', 1, 64), "0"), ".")
}
