package pyerror

import (
	"strings"
	"testing"
)

// What real libraries say when an address is not reached: requests 2.34, urllib3 2.8, httpx 0.28, aiohttp 3.14, huggingface_hub 1.33,
// datasets 4.8, transformers 5.24, torch 2.15 and Python 3.11, as flwr puts it into an error reply. All but those that a hub must send
// were produced by running them.
func TestNetworkIn(t *testing.T) {
	for _, c := range []struct {
		reply   string
		trouble Trouble // "": it is about something else
		address string
	}{
		{`<class 'requests.exceptions.ConnectionError'>:<'HTTPSConnectionPool(host='no-such-host.example.org', port=443): Max retries exceeded with url: /data.csv (Caused by NameResolutionError("HTTPSConnection(host='no-such-host.example.org', port=443): Failed to resolve 'no-such-host.example.org' ([Errno -2] Name or service not known)"))'>`, NoName, "no-such-host.example.org"},
		{`<class 'requests.exceptions.ConnectionError'>:<'HTTPConnectionPool(host='127.0.0.1', port=9): Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection(host='127.0.0.1', port=9): Failed to establish a new connection: [Errno 111] Connection refused"))'>`, Refused, "127.0.0.1:9"},
		{`<class 'requests.exceptions.SSLError'>:<'HTTPSConnectionPool(host='localhost', port=34389): Max retries exceeded with url: / (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)')))'>`, Untrusted, "localhost:34389"},
		{`<class 'requests.exceptions.HTTPError'>:<'401 Client Error: Unauthorized for url: http://127.0.0.1:44629/s401'>`, SignIn, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.HTTPError'>:<'403 Client Error: Forbidden for url: http://127.0.0.1:44629/s403'>`, Denied, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.HTTPError'>:<'429 Client Error: Too Many Requests for url: http://127.0.0.1:44629/s429'>`, Limited, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.HTTPError'>:<'404 Client Error: Not Found for url: https://ada:secret@data.example.org/a?token=b'>`, Missing, "data.example.org"},
		{`<class 'requests.exceptions.HTTPError'>:<'500 Server Error: Internal Server Error for url: http://127.0.0.1:44629/s500'>`, Failing, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.ChunkedEncodingError'>:<'('Connection broken: IncompleteRead(1 bytes read, 99 more expected)', IncompleteRead(1 bytes read, 99 more expected))'>`, BrokenOff, ""},
		{`<class 'requests.exceptions.SSLError'>:<'HTTPSConnectionPool(host='127.0.0.1', port=44629): Max retries exceeded with url: / (Caused by SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)')))'>`, NoTLS, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.ReadTimeout'>:<'HTTPConnectionPool(host='127.0.0.1', port=44629): Read timed out. (read timeout=0.5)'>`, TimedOut, "127.0.0.1:44629"},
		{`<class 'requests.exceptions.ProxyError'>:<'HTTPSConnectionPool(host='data.example.org', port=443): Max retries exceeded with url: /data.csv (Caused by ProxyError('Unable to connect to proxy', NewConnectionError("HTTPSConnection(host='127.0.0.1', port=18298): Failed to establish a new connection: [Errno 111] Connection refused")))'>`, ProxyDown, "127.0.0.1:18298"},
		{`<class 'requests.exceptions.ProxyError'>:<'HTTPSConnectionPool(host='data.example.org', port=443): Max retries exceeded with url: /data.csv (Caused by ProxyError('Unable to connect to proxy', OSError('Tunnel connection failed: 403 Forbidden')))'>`, ProxyDenied, "data.example.org"},
		{`<class 'requests.exceptions.MissingSchema'>:<'Invalid URL 'data.csv': No scheme supplied. Perhaps you meant https://data.csv?'>`, BadAddress, "data.csv"},
		{`<class 'urllib3.exceptions.NameResolutionError'>:<'HTTPSConnection(host='data.example.org', port=443): Failed to resolve 'data.example.org' ([Errno -2] Name or service not known)'>`, NoName, "data.example.org"},
		{`<class 'urllib3.exceptions.MaxRetryError'>:<'HTTPConnectionPool(host='127.0.0.1', port=35499): Max retries exceeded with url: /s500 (Caused by ResponseError('too many 500 error responses'))'>`, Failing, "127.0.0.1:35499"},
		{`<class 'urllib3.exceptions.SSLError'>:<'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)'>`, Untrusted, ""},
		{`<class 'httpx.ConnectError'>:<'[Errno -2] Name or service not known'>`, NoName, ""},
		{`<class 'httpx.ConnectError'>:<'[Errno 111] Connection refused'>`, Refused, ""},
		{`<class 'httpx.ConnectError'>:<'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)'>`, Untrusted, ""},
		{"<class 'httpx.HTTPStatusError'>:<'Client error '401 Unauthorized' for url 'http://127.0.0.1:44067/s401'\nFor more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/401'>", SignIn, "127.0.0.1:44067"},
		{"<class 'httpx.HTTPStatusError'>:<'Client error '429 Too Many Requests' for url 'https://data.example.org/s429'\nFor more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/429'>", Limited, "data.example.org"},
		{"<class 'httpx.HTTPStatusError'>:<'Server error '500 Internal Server Error' for url 'https://data.example.org/s500'\nFor more information check: https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/500'>", Failing, "data.example.org"},
		{`<class 'httpx.RemoteProtocolError'>:<'peer closed connection without sending complete message body (received 1 bytes, expected 100)'>`, BrokenOff, ""},
		{`<class 'httpx.UnsupportedProtocol'>:<'Request URL is missing an 'http://' or 'https://' protocol.'>`, BadAddress, ""},
		{`<class 'httpx.ReadTimeout'>:<'timed out'>`, TimedOut, ""},
		{`<class 'httpx.ProxyError'>:<'403 Forbidden'>`, ProxyDenied, ""},
		{`<class 'aiohttp.client_exceptions.ClientConnectorDNSError'>:<'Cannot connect to host data.example.org:443 ssl:default [Name or service not known]'>`, NoName, "data.example.org"},
		{`<class 'aiohttp.client_exceptions.ClientConnectorError'>:<'Cannot connect to host 127.0.0.1:9 ssl:default [Connect call failed ('127.0.0.1', 9)]'>`, Refused, "127.0.0.1:9"},
		{`<class 'aiohttp.client_exceptions.ClientConnectorCertificateError'>:<'Cannot connect to host localhost:46615 ssl:True [SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)')]'>`, Untrusted, "localhost:46615"},
		{`<class 'aiohttp.client_exceptions.ClientResponseError'>:<'401, message='Unauthorized', url='http://127.0.0.1:33247/s401''>`, SignIn, "127.0.0.1:33247"},
		{`<class 'aiohttp.client_exceptions.ClientResponseError'>:<'429, message='Too Many Requests', url='http://127.0.0.1:33247/s429''>`, Limited, "127.0.0.1:33247"},
		{`<class 'aiohttp.client_exceptions.ClientResponseError'>:<'500, message='Internal Server Error', url='http://127.0.0.1:33247/s500''>`, Failing, "127.0.0.1:33247"},
		{`<class 'aiohttp.client_exceptions.ClientPayloadError'>:<'Response payload is not completed: <ContentLengthError: 400, message='Not enough data to satisfy content length header (received 1 of 100 bytes).'>'>`, BrokenOff, ""},
		{`<class 'aiohttp.client_exceptions.ClientProxyConnectionError'>:<'Cannot connect to host 127.0.0.1:18298 ssl:default [Connect call failed ('127.0.0.1', 18298)]'>`, ProxyDown, "127.0.0.1:18298"},
		{`<class 'aiohttp.client_exceptions.ClientHttpProxyError'>:<'403, message='Forbidden', url='http://127.0.0.1:33247''>`, ProxyDenied, "127.0.0.1:33247"},
		{`<class 'urllib.error.URLError'>:<'<urlopen error [Errno -2] Name or service not known>'>`, NoName, ""},
		{`<class 'urllib.error.URLError'>:<'<urlopen error [Errno 111] Connection refused>'>`, Refused, ""},
		{`<class 'urllib.error.URLError'>:<'<urlopen error unknown url type: htp>'>`, BadAddress, ""},
		{`<class 'urllib.error.HTTPError'>:<'HTTP Error 401: Unauthorized'>`, SignIn, ""},
		{`<class 'urllib.error.HTTPError'>:<'HTTP Error 403: Forbidden'>`, Denied, ""},
		{`<class 'urllib.error.HTTPError'>:<'HTTP Error 404: Not Found'>`, Missing, ""},
		{`<class 'urllib.error.HTTPError'>:<'HTTP Error 429: Too Many Requests'>`, Limited, ""},
		{`<class 'TimeoutError'>:<'timed out'>`, TimedOut, ""},
		{`<class 'socket.gaierror'>:<'[Errno -2] Name or service not known'>`, NoName, ""},
		{`<class 'socket.gaierror'>:<'[Errno -3] Temporary failure in name resolution'>`, NoName, ""},
		{`<class 'ConnectionRefusedError'>:<'[Errno 111] Connection refused'>`, Refused, ""},
		{`<class 'OSError'>:<'[Errno 101] Network is unreachable'>`, NoRoute, ""},
		{`<class 'ConnectionResetError'>:<'[Errno 104] Connection reset by peer'>`, BrokenOff, ""},
		{`<class 'ssl.SSLCertVerificationError'>:<'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)'>`, Untrusted, ""},
		{`<class 'http.client.IncompleteRead'>:<'IncompleteRead(1 bytes read, 99 more expected)'>`, BrokenOff, ""},
		{`<class 'http.client.RemoteDisconnected'>:<'Remote end closed connection without response'>`, BrokenOff, ""},
		{`<class 'RuntimeError'>:<'It looks like there is no internet connection and the repo could not be found in the cache (/root/.cache/torch/hub)'>`, Unreached, ""},
		{`<class 'huggingface_hub.errors.LocalEntryNotFoundError'>:<'An error happened while trying to locate the file on the Hub and we cannot find the requested files in the local cache. Please check your connection and try again or make sure your Internet connection is on.'>`, Unreached, Hub},
		{"<class 'huggingface_hub.errors.LocalEntryNotFoundError'>:<'Got: ConnectError: [Errno -2] Name or service not known\nAn error happened while trying to locate the files on the Hub, and we cannot find the appropriate snapshot folder for the specified revision on the local disk. Please check your internet connection and try again.'>", NoName, Hub},
		{"<class 'huggingface_hub.errors.OfflineModeIsEnabled'>:<'Cannot reach https://huggingface.co/api/models/some/model: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment variable.'>", Offline, "huggingface.co"},
		{`<class 'huggingface_hub.errors.LocalEntryNotFoundError'>:<'Cannot find an appropriate cached snapshot folder for the specified revision on the local disk and outgoing traffic has been disabled. To enable repo look-ups and downloads online, set 'HF_HUB_OFFLINE=0' as environment variable.'>`, Offline, Hub},
		{`<class 'ConnectionError'>:<'Couldn't reach 'some/data' on the Hub (LocalEntryNotFoundError)'>`, Unreached, Hub},
		{`<class 'ConnectionError'>:<'Couldn't reach 'some/data' on the Hub (OfflineModeIsEnabled)'>`, Offline, Hub},
		{`<class 'ConnectionError'>:<'Couldn't reach the Hugging Face Hub for dataset 'some/data': Offline mode is enabled.'>`, Offline, Hub},
		{`<class 'FileNotFoundError'>:<'Unable to find 'https://data.example.org/x.csv''>`, Unreached, "data.example.org"},
		{"<class 'OSError'>:<'We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.\nCheck your internet connection or see how to run the library in offline mode at 'https://huggingface.co/docs/transformers/installation#offline-mode'.'>", Unreached, "huggingface.co"},
		{"<class 'huggingface_hub.errors.RepositoryNotFoundError'>:<'401 Client Error. (Request ID: Root=1-2)\n\nRepository Not Found for url: https://huggingface.co/api/models/some/model.\nPlease make sure you specified the correct `repo_id` and `repo_type`.'>", SignIn, "huggingface.co"},
		{"<class 'huggingface_hub.errors.GatedRepoError'>:<'403 Client Error. (Request ID: Root=1-2)\n\nCannot access gated repo for url https://huggingface.co/some/model/resolve/main/config.json.'>", Denied, "huggingface.co"},
		{"<class 'huggingface_hub.errors.HfHubHTTPError'>:<'429 Too Many Requests: you have reached your 'api' rate limit.\nRetry after 60 seconds (0/500 requests remaining in current 300s window).\nUrl: https://huggingface.co/api/models/x.'>", Limited, "huggingface.co"},
		{"<class 'huggingface_hub.errors.HfHubHTTPError'>:<'403 Forbidden: None.\nCannot access content at: https://huggingface.co/api/x.\nMake sure your token has the correct permissions.'>", Denied, "huggingface.co"},
		{"<class 'huggingface_hub.errors.HfHubHTTPError'>:<'Server error '503 Service Unavailable' for url 'https://huggingface.co/api/x' (Request ID: Root=1)'>", Failing, "huggingface.co"},
		{`<class 'datasets.exceptions.DatasetNotFoundError'>:<'Dataset 'some/data' doesn't exist on the Hub or cannot be accessed.'>`, SignIn, Hub},
		{`<class 'datasets.exceptions.DatasetNotFoundError'>:<'Dataset 'some/data' is a gated dataset on the Hub. You must be authenticated to access it.'>`, Denied, Hub},

		{`<class 'KeyError'>:<''age''>`, "", ""},
		{`<class 'ValueError'>:<'operands could not be broadcast together with shapes (3,) (4,) '>`, "", ""},
		{`<class 'numpy._core._exceptions._ArrayMemoryError'>:<'Unable to allocate 7.11 PiB for an array with shape (1000000000, 1000000) and data type float64'>`, "", ""},
		{`<class 'FileNotFoundError'>:<'[Errno 2] No such file or directory: '/data/part-0.csv''>`, "", ""},
		{`<class 'RuntimeError'>:<'mm: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)'>`, "", ""},
		{`<class 'TimeoutError'>:<''>`, "", ""},
		{`<class 'ValueError'>:<'the label 404 is unknown'>`, "", ""},
		{`<class 'OSError'>:<'[Errno 28] No space left on device'>`, "", ""},
		{`<class 'fault.client_app.ReadError'>:<'bad row'>`, "", ""},
	} {
		e, ok := FromReply(c.reply)
		if !ok {
			t.Fatalf("%q is no reply", c.reply)
		}
		n, ok := NetworkIn([]Exception{e})
		if ok != (c.trouble != "") || n.Trouble != c.trouble || n.Address != c.address {
			t.Errorf("%s: %+v, %v; want %s %s", c.reply, n, ok, c.trouble, c.address)
		}
	}
}

// In a traceback, the chain and the app's own line tell more than the last exception.
func TestNetworkInAChain(t *testing.T) {
	const head = "Traceback (most recent call last):\n"
	site := func(path, code string) string {
		return frame("/py/lib/python3.11/site-packages/"+path, "9, in connect_tcp", code)
	}
	call := frame(app, "5, in load", `httpx.get("https://data.example.org/x.csv")`)
	for name, c := range map[string]struct {
		text    string
		trouble Trouble
		address string
	}{
		"the app's line names it":          {head + call + site("httpx/x.py", "raise mapped_exc(message) from exc") + "httpx.ConnectError: [Errno -2] Name or service not known\n", NoName, "data.example.org"},
		"httpx's proxy is down":            {head + call + site("httpcore/_sync/http_proxy.py", "self.connect()") + site("httpcore/_backends/sync.py", "sock = socket.create_connection(") + "httpx.ConnectError: [Errno 111] Connection refused\n", ProxyDown, ""},
		"the cause names it":               {head + site("urllib3/connection.py", "x") + "urllib3.exceptions.NameResolutionError: HTTPSConnection(host='hub.example.org', port=8443): Failed to resolve 'hub.example.org' ([Errno -2] Name or service not known)\n\n" + causeWords + "\n\n" + head + frame(app, "5, in load", "load()") + "RuntimeError: no data\n", NoName, "hub.example.org:8443"},
		"handled, and then something else": {head + frame(app, "4, in load", "get()") + "socket.gaierror: [Errno -2] Name or service not known\n\n" + contextWord + "\n\n" + head + frame(app, "5, in load", "cache[name]") + "KeyError: 'x'\n", "", ""},
		"a timeout without words":          {head + call + site("aiohttp/client.py", "x") + "TimeoutError\n", Unreached, "data.example.org"},
		"a timeout of the app's own":       {head + frame(app, "5, in load", "queue.get(timeout=1)") + "TimeoutError\n", "", ""},
		"Flower's own connection":          {head + frame(app, "5, in load", "grid.send_and_receive(m)") + site("flwr/superlink/grid/http.py", "x") + site("httpx/x.py", "y") + "httpx.ConnectError: [Errno 111] Connection refused\n", "", ""},
	} {
		n, ok := NetworkIn(Parse(strings.Split(c.text, "\n")))
		if ok != (c.trouble != "") || n.Trouble != c.trouble || n.Address != c.address {
			t.Errorf("%s: %+v, %v", name, n, ok)
		}
	}
}

// Each trouble is said as a sentence to follow a name, with a remedy; nothing secret of a URL is in it.
func TestSaid(t *testing.T) {
	for _, tr := range []Trouble{Unreached, NoName, Refused, NoRoute, TimedOut, BrokenOff, Untrusted, NoTLS, ProxyDown, ProxyDenied, SignIn, Denied, Missing, Limited, Failing, Offline, BadAddress} {
		for _, a := range []string{"", Hub, "data.example.org:8443"} {
			n := Network{Trouble: tr, Address: a}
			if said := n.Said(); a != "" && tr != BadAddress && !strings.Contains(said, a) || strings.HasSuffix(said, ".") || n.Remedy("the server") == "" {
				t.Errorf("%+v: %q, %q", n, said, n.Remedy("the server"))
			}
		}
	}
	if got := (Network{Trouble: NoName, Address: "huggingface.co"}).Said(); got != "failed to reach huggingface.co: its name could not be resolved" {
		t.Error(got)
	}
}
