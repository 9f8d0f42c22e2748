//go:build !wasip1

package cloche

// Handle makes h the function of this guest. Outside a guest nobody calls it:
// use Test.
func Handle(h Handler) {
	if h == nil {
		panic("cloche: Handle needs one handler")
	}
}
