// Package version says which nctrain this is.
package version

import "runtime/debug"

// Version is set by the linker (make build). Without it the module's own record stands in.
var Version = ""

// String is the version that files and records carry.
func String() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
