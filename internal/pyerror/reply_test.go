package pyerror

import "testing"

// Error replies are flwr 1.42's: the exception's class and message.
func TestFromReply(t *testing.T) {
	for reply, want := range map[string][3]string{
		`<class 'ZeroDivisionError'>:<'division by zero'>`:                                          {"", "ZeroDivisionError", "division by zero"},
		`<class 'requests.exceptions.ConnectionError'>:<'HTTPSConnectionPool(host='x', port=443)'>`: {"requests.exceptions", "ConnectionError", "HTTPSConnectionPool(host='x', port=443)"},
		`<class 'fault.client_app.train.<locals>.Odd'>:<''>`:                                        {"fault.client_app.train.<locals>", "Odd", ""},
		"<class 'ValueError'>:<'a\nb'>":                                                             {"", "ValueError", "a"},
		`<class 'ValueError'>:<'cut off`:                                                            {"", "ValueError", "cut off"},
		`Error: Node Unavailable`:                                                                   {},
		``:                                                                                          {},
	} {
		e, ok := FromReply(reply)
		if e.Module != want[0] || e.Kind != want[1] || e.Message != want[2] || ok != (want[1] != "") {
			t.Errorf("%q: %+v, %v", reply, e, ok)
		}
	}
}

// Texts that differ in what is of a machine alone are the same reason; others are not.
func TestNormal(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"[Errno 2] No such file or directory: '/home/ada/data/part-0.csv'", "[Errno 2] No such file or directory: '/srv/b/data/part-3.csv'", true},
		{`[Errno 2] No such file or directory: 'C:\Users\Ada\data\0.csv'`, `[Errno 2] No such file or directory: '/srv/1.csv'`, true},
		{"[Errno 2] No such file or directory: 'data/part-0.csv'", "[Errno 2] No such file or directory: 'data/part-12.csv'", true},
		{"no partition 3 of 10", "no partition 7 of 10", true},
		{"shape (10, 64) and (12, 64) differ", "shape (10, 64) and (9, 64) differ", true},
		{"loss is 1.5e-3", "loss is -0.25", true},
		{"<object at 0x7f3a9c0d1e50>", "<object at 0x55d0c2aa1b10>", true},
		{"run 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "run a987fbc9-4bed-3078-cf07-9141ba07c9f3 is gone", true},
		{"host 10.0.0.5:8080 is down", "host 192.168.1.20:80 is down", true},
		{"'age'", "'weight'", false},
		{"division by zero", "Weights sum to zero", false},
		{"No such file or directory: '/a/b'", "Permission denied: '/a/b'", false},
	} {
		if got := Normal(c.a) == Normal(c.b); got != c.same {
			t.Errorf("%q and %q: %q, %q", c.a, c.b, Normal(c.a), Normal(c.b))
		}
	}
}

// What Flower lacks of what an app uses; other libraries' parts are none of it.
func TestFlowerPart(t *testing.T) {
	for _, c := range []struct{ kind, message, want string }{
		{"ModuleNotFoundError", "No module named 'flwr.server.strategy.dpfedavg_fixed'", "flwr.server.strategy.dpfedavg_fixed"},
		{"ModuleNotFoundError", "No module named 'flwr.common.typing.Foo'; 'flwr.common.typing' is not a package", "flwr.common.typing.Foo"},
		{"ImportError", "cannot import name 'ndarrays_to_nothing' from 'flwr.common' (/data/python/lib/python3.11/site-packages/flwr/common/__init__.py)", "flwr.common.ndarrays_to_nothing"},
		{"ImportError", "cannot import name 'x' from partially initialized module 'flwr.common' (most likely due to a circular import) (/x)", "flwr.common.x"},
		{"AttributeError", "module 'flwr.server' has no attribute 'start_nothing'", "flwr.server.start_nothing"},
		{"AttributeError", "'Context' object has no attribute 'partition_id'", "Context.partition_id"},
		{"TypeError", "FedAvg.__init__() got an unexpected keyword argument 'min_fit_clients'", "FedAvg(min_fit_clients=…)"},
		{"TypeError", "FedAvg.start() got an unexpected keyword argument 'x'", "FedAvg.start(x=…)"},
		{"ModuleNotFoundError", "No module named 'flwr'", ""},
		{"ModuleNotFoundError", "No module named 'flwr_datasets'", ""},
		{"ModuleNotFoundError", "No module named 'torch'", ""},
		{"ImportError", "cannot import name 'x' from 'torch' (/x)", ""},
		{"AttributeError", "module 'numpy' has no attribute 'float'", ""},
		{"AttributeError", "'Net' object has no attribute 'fc'", ""},
		{"TypeError", "Net.__init__() got an unexpected keyword argument 'width'", ""},
		{"KeyError", "'flwr.common'", ""},
	} {
		if got := FlowerPart(Exception{Kind: c.kind, Message: c.message}); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.kind, c.message, got, c.want)
		}
	}
}
