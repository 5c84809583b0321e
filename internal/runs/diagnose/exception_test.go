package diagnose

import (
	"strings"
	"testing"

	"blossomtune/internal/logfile"
)

func TestLastException(t *testing.T) {
	var lines []logfile.Line
	for i, l := range strings.Split(`INFO :      start
Traceback (most recent call last):
  File "/x/lib/python3.11/site-packages/flwr/run.py", line 9, in run
    go()
  File "/runs/1/work/app/server_app.py", line 41, in main
    lr = context.run_config['lr']
         ~~~~~~~~~~~~~~~~~~^^^^^^
KeyError: 'lr'
ERROR :     exit 201`, "\n") {
		lines = append(lines, logfile.Line{N: i + 1, Text: l})
	}
	ex := lastException(lines)
	if ex.Kind != "KeyError" || ex.Message != "'lr'" || ex.place() != ", server_app.py:41 in main" || ex.logLine != 8 {
		t.Errorf("%+v", ex)
	}
	_, message, remedy := explain(ex)
	if message != "The ServerApp raised KeyError 'lr', server_app.py:41 in main." || remedy == "" {
		t.Errorf("%q %q", message, remedy)
	}
}
