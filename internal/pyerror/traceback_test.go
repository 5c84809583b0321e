package pyerror

import (
	"strconv"
	"strings"
	"testing"
)

const (
	app  = "/data/federations/1/work/.flwr/apps/blossomtune.fault.1.0.0.deadbeef/fault/server_app.py"
	flwr = "/data/python/lib/python3.11/site-packages/flwr/superlink/runtime/run_serverapp.py"
	np   = "/data/python/lib/python3.11/site-packages/numpy/lib/_function_base_impl.py"
)

func frame(path string, line string, code string) string {
	return "  File \"" + path + "\", line " + line + "\n    " + code + "\n    ^^^^^\n"
}

// Each kind of traceback that Python 3.11 to 3.14 prints gives the exception that ended the app, and the deepest line of the app.
func TestParse(t *testing.T) {
	const head = "INFO :      [ROUND 1/3]\n\x1b[91mERROR \x1b[0m:     ServerApp raised an exception\nTraceback (most recent call last):\n"
	const foot = "\x1b[91mERROR \x1b[0m:     Exit Code: 201\n\nAn unhandled exception occurred in the ServerApp.\n"
	for name, c := range map[string]struct {
		log                 string
		kind, message, full string // full: of the chain's last exception; "" as message
		at, code            string
		below               int
		chain               int
	}{
		"in the app": {head + frame(flwr, "9, in run", "go()") + frame(app, "41, in main", "lr = context.run_config['lr']") + "KeyError: 'lr'\n" + foot, "KeyError", "'lr'", "", "server_app.py:41 main", "lr = context.run_config['lr']", 0, 1},
		"in a library": {head + frame(flwr, "9, in run", "go()") + frame(app, "41, in main", "np.average(a, weights=w)") + frame(np, "500, in average", "raise ZeroDivisionError(") + "ZeroDivisionError: Weights sum to zero, can't be normalized\n" + foot,
			"ZeroDivisionError", "Weights sum to zero, can't be normalized", "", "server_app.py:41 main", "np.average(a, weights=w)", 1, 1},
		"in Flower below the app": {head + frame(flwr, "9, in run", "go()") + frame(app, "20, in main", "strategy.start(grid=grid)") + frame("/data/python/lib/python3.11/site-packages/flwr/serverapp/strategy/fedavg.py", "7, in aggregate_train", "x()") + "flwr.serverapp.exception.InconsistentMessageReplies: replies differ\n" + foot,
			"InconsistentMessageReplies", "replies differ", "", "server_app.py:20 main", "strategy.start(grid=grid)", 1, 1},
		"in Flower alone": {head + frame(flwr, "9, in run", "go()") + "flwr.serverapp.server_app.LoadServerAppError: Unable to load attribute x\n" + foot, "LoadServerAppError", "Unable to load attribute x", "", "", "", 0, 1},
		"raised from another": {head + frame(app, "10, in load", "return table[name]") + "KeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n" + frame(flwr, "9, in run", "go()") + frame(app, "12, in main", "raise RuntimeError(\"no data\") from err") + "RuntimeError: no data\n" + foot,
			"RuntimeError", "no data", "", "server_app.py:12 main", "raise RuntimeError(\"no data\") from err", 0, 2},
		"while another was handled": {head + frame(app, "10, in load", "x()") + "KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n" + frame(flwr, "9, in run", "go()") + frame(app, "12, in main", "int(a)") + "ValueError: invalid literal for int() with base 10: 'a'\n" + foot,
			"ValueError", "invalid literal for int() with base 10: 'a'", "", "server_app.py:12 main", "int(a)", 0, 2},
		"the last has no line of the app": {head + frame(app, "10, in load", "x()") + "KeyError: 'x'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n" + frame(flwr, "9, in run", "go()") + "RuntimeError: wrapped\n" + foot,
			"RuntimeError", "wrapped", "", "server_app.py:10 load", "x()", 0, 2},
		"a syntax error": {head + frame(flwr, "9, in run", "go()") + "  File \"" + app + "\", line 3\n    def f(:\n          ^\nSyntaxError: invalid syntax\n" + foot, "SyntaxError", "invalid syntax", "", "server_app.py:3 ", "def f(:", 0, 1},
		"notes":          {head + frame(app, "5, in main", "raise e") + "ValueError: bad\nwhile reading part 1\n" + foot, "ValueError", "bad", "bad\nwhile reading part 1", "server_app.py:5 main", "raise e", 0, 1},
		"more lines": {head + frame(app, "5, in main", "raise e") + "RuntimeError: Error(s) in loading state_dict for Net:\n\tsize mismatch for 0.weight\n" + foot,
			"RuntimeError", "Error(s) in loading state_dict for Net:", "Error(s) in loading state_dict for Net:\n\tsize mismatch for 0.weight", "server_app.py:5 main", "raise e", 0, 1},
		"no message":                     {head + frame(app, "5, in main", "raise ValueError") + "ValueError\n" + foot, "ValueError", "", "", "server_app.py:5 main", "raise ValueError", 0, 1},
		"a class of the app":             {head + frame(app, "5, in main", "raise NoData(1)") + "fault.server_app.NoData: 1\n" + foot, "NoData", "1", "", "server_app.py:5 main", "raise NoData(1)", 0, 1},
		"a local class":                  {head + frame(app, "5, in main", "raise Odd(1)") + "fault.server_app.main.<locals>.Odd: 1\n" + foot, "Odd", "1", "", "server_app.py:5 main", "raise Odd(1)", 0, 1},
		"no traceback":                   {"INFO :      x\nERROR :     ServerApp raised an exception\nValueError: bare\n" + foot, "ValueError", "bare", "", "", "", 0, 1},
		"too deep":                       {head + frame(flwr, "9, in run", "go()") + frame(app, "7, in f", "return f()") + "  [Previous line repeated 992 more times]\nRecursionError: maximum recursion depth exceeded\n" + foot, "RecursionError", "maximum recursion depth exceeded", "", "server_app.py:7 f", "return f()", 0, 1},
		"the beginning is cut off":       {frame(app, "8, in g", "return f()") + frame(app, "7, in f", "return g()") + "RecursionError: maximum recursion depth exceeded\n" + foot, "RecursionError", "maximum recursion depth exceeded", "", "server_app.py:7 f", "return g()", 0, 1},
		"one that the app logged before": {"Traceback (most recent call last):\n" + frame(app, "5, in main", "old()") + "ValueError: old\n" + head + frame(app, "6, in main", "new()") + "TypeError: new\n" + foot, "TypeError", "new", "", "server_app.py:6 main", "new()", 0, 1},
		"one of a thread after it":       {head + frame(app, "6, in main", "new()") + "TypeError: new\n" + foot + "Exception in thread Thread-2:\nTraceback (most recent call last):\n" + frame(flwr, "5, in beat", "x()") + "OSError: closed\n", "TypeError", "new", "", "server_app.py:6 main", "new()", 0, 1},
		"the last of several":            {"Traceback (most recent call last):\n" + frame(app, "5, in main", "old()") + "ValueError: old\nprinted\nTraceback (most recent call last):\n" + frame(app, "6, in main", "new()") + "TypeError: new\n", "TypeError", "new", "", "server_app.py:6 main", "new()", 0, 1},
		"Windows":                        {head + "  File \"C:\\Users\\Ada\\.flwr\\apps\\p.a.1.0.0.deadbeef\\fault\\server_app.py\", line 5, in main\n    x()\n  File \"C:\\Python311\\Lib\\json\\decoder.py\", line 1, in decode\n    y()\njson.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n" + foot, "JSONDecodeError", "Expecting value: line 1 column 1 (char 0)", "", "server_app.py:5 main", "x()", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimSuffix(c.log, "\n"), "\n")
			chain := Parse(lines)
			if len(chain) != c.chain {
				t.Fatalf("the chain is %+v", chain)
			}
			e := chain[len(chain)-1]
			if c.full == "" {
				c.full = c.message
			}
			if e.Kind != c.kind || e.Message != c.message || strings.TrimSpace(e.Full()) != c.full || !strings.Contains(lines[e.Line], c.kind) {
				t.Errorf("%+v at %q", e, lines[e.Line])
			}
			f, below, ok := AppFrame(chain)
			at := ""
			if ok {
				at = f.Name() + ":" + strconv.Itoa(f.Line) + " " + f.Func
			}
			if at != c.at || f.Code != c.code || len(below) != c.below {
				t.Errorf("at %q %q, %d below", at, f.Code, len(below))
			}
			if ok && f.File() != "fault/server_app.py" {
				t.Errorf("the file is %q", f.File())
			}
		})
	}
}

// An exception group is told as its first exception, with how many more there are. The text is Python 3.11's own.
func TestParseGroup(t *testing.T) {
	const log = `ERROR :     ServerApp raised an exception
  + Exception Group Traceback (most recent call last):
  |   File "/x/apps/p.a.1.0.0.deadbeef/fault/server_app.py", line 20, in main
  |     raise ExceptionGroup("parts failed", errors)
  | ExceptionGroup: parts failed (3 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/x/apps/p.a.1.0.0.deadbeef/fault/server_app.py", line 15, in part
    |     int(v)
    |     ~~~^^^
    | ValueError: invalid literal for int() with base 10: 'a'
    +---------------- 2 ----------------
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | TypeError: two
      +------------------------------------
    +---------------- 3 ----------------
    | OSError: disk
    +------------------------------------
ERROR :     Exit Code: 201`
	chain := Parse(strings.Split(log, "\n"))
	if len(chain) != 1 {
		t.Fatalf("%+v", chain)
	}
	e := chain[0]
	if e.Kind != "ValueError" || e.Message != "invalid literal for int() with base 10: 'a'" || e.Group != "ExceptionGroup" || e.Others != 2 {
		t.Errorf("%+v", e)
	}
	if f, _, _ := AppFrame(chain); f.Line != 15 || f.Code != "int(v)" {
		t.Errorf("%+v", f)
	}
	if line := strings.Split(log, "\n")[e.Line]; !strings.Contains(line, "ValueError") {
		t.Errorf("its line is %q", line)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Traceback (most recent call last):\n  File \"x.py\", line 3, in f\n    code\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\nX: y")
	f.Add("  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: x (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | ValueError: 1\n    +------------------------------------\n")
	f.Add("ClientApp raised an exception\nOSError: We couldn't connect to 'https://user:pw@huggingface.co:8443/x' to load the files")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		chain := Parse(lines)
		for _, e := range chain {
			if e.Kind == "" || e.Line < 0 || e.Line >= len(lines) {
				t.Errorf("%+v", e)
			}
		}
		AppFrame(chain)
		if n, ok := NetworkIn(chain); ok && (!IsAddress(n.Address) || strings.ContainsAny(n.Address, "@/\n") || n.Said() == "" || n.Remedy("it") == "") {
			t.Errorf("%+v", n)
		}
		if e, ok := FromReply(text); ok && e.Kind == "" {
			t.Errorf("%+v", e)
		}
		Normal(text)
	})
}
