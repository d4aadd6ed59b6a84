// Package decimal writes whole numbers for people.
package decimal

import "strconv"

// Grouped writes 12345678 as 12,345,678.
func Grouped[T int | int64](n T) string {
	text := strconv.FormatInt(int64(n), 10)
	for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
