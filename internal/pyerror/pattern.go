package pyerror

import (
	"regexp"
	"sync"
)

// pattern compiles a regular expression when it is first used. The processes that contain an app are this program too, and start for each
// message: compiling all of them at the start would cost each of those milliseconds.
type pattern func() *regexp.Regexp

func lazily(text string) pattern {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}
