//go:build cuda

package cudart

import (
	_ "gorgonia.org/cu" // its functions are what the late-bound driver stands in for

	_ "nctrain/cudart/driver"
)
