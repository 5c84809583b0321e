package pyerror

import (
	"slices"
	"strings"
)

// Trouble says why an address was not reached or gave nothing.
type Trouble string

// Troubles. They travel between an agent and its server, so they never change.
const (
	Unreached   Trouble = "unreached"   // no reason is known
	NoName      Trouble = "no_name"     // DNS does not know it
	Refused     Trouble = "refused"     // nothing listens there
	NoRoute     Trouble = "no_route"    // no network leads there
	TimedOut    Trouble = "timed_out"   //
	BrokenOff   Trouble = "broken_off"  // the connection ended in the middle
	Untrusted   Trouble = "untrusted"   // its TLS certificate is not trusted
	NoTLS       Trouble = "no_tls"      // it does not speak TLS as expected
	ProxyDown   Trouble = "proxy_down"  // the proxy is not reached; the address is the proxy's
	ProxyDenied Trouble = "proxy_no"    // the proxy refuses
	SignIn      Trouble = "sign_in"     // 401
	Denied      Trouble = "denied"      // 403, or a gated repository
	Missing     Trouble = "missing"     // 404
	Limited     Trouble = "limited"     // 429
	Failing     Trouble = "failing"     // 5xx
	Offline     Trouble = "offline"     // offline mode is on
	BadAddress  Trouble = "bad_address" // the address is no address
)

// Hub is the address of the Hugging Face Hub where an error does not name it.
const Hub = "the Hugging Face Hub"

// Network is what an exception tells of an address that was not reached.
type Network struct {
	Trouble Trouble
	Address string // "huggingface.co", "10.0.0.5:8443", [Hub]; "" where the error does not tell
}

// netKinds are exceptions that are about the network by their name alone, whatever module they are of.
var netKinds = []string{"NameResolutionError", "MaxRetryError", "NewConnectionError", "ConnectTimeout", "ConnectTimeoutError",
	"ReadTimeout", "ReadTimeoutError", "ProxyError", "ConnectError",
	"HTTPStatusError", "HfHubHTTPError", "RepositoryNotFoundError", "GatedRepoError", "DisabledRepoError", "RevisionNotFoundError",
	"RemoteEntryNotFoundError", "LocalEntryNotFoundError", "EntryNotFoundError",
	"OfflineModeIsEnabled", "DatasetNotFoundError", "ClientConnectorError", "ClientConnectorDNSError", "ClientConnectorCertificateError",
	"ClientConnectorSSLError", "ClientProxyConnectionError",
	"ClientHttpProxyError", "ClientResponseError", "ServerDisconnectedError", "ClientOSError", "ServerTimeoutError", "ConnectionTimeoutError",
	"SocketTimeoutError", "URLError", "HTTPError", "RemoteDisconnected", "IncompleteRead",
	"gaierror", "herror", "SSLError", "SSLCertVerificationError", "CertificateError", "SSLEOFError", "ConnectionRefusedError",
	"ConnectionResetError", "ConnectionAbortedError", "EndpointConnectionError",
	"RemoteProtocolError", "ReadError", "WriteError", "LocalTokenNotFoundError", "FSTimeoutError", "ChunkedEncodingError"}

var (
	// netModules are those whose other exceptions are about the network where their words tell so.
	netModules = lazily(`^(?:requests|urllib3|httpx|httpcore|aiohttp|huggingface_hub|urllib|http\.client|socket|ssl|botocore|fsspec|openml)(?:\.|$)`)
	// netWords are words that nothing else says.
	netWords = lazily(`Max retries exceeded with url|<urlopen error|Couldn't reach (?:'|the Hugging Face Hub|https?:)|[Cc]ouldn't connect to '?https?:|\[Errno -[2-5]\]|CERTIFICATE_VERIFY_FAILED|` +
		`^(?:\[Errno 1(?:0[14]|1[0-3])\]|\[WinError 100(?:5[1-4]|6[0-5])\])|Unable to find 'https?:|there is no internet connection|is a gated dataset on the Hub|You are trying to access a gated repo|specific connection error when trying to load|Cannot connect to host |` +
		`[Oo]ffline mode is enabled|outgoing traffic has been disabled|Error downloading |HTTP Error [45]\d\d:|\b[45]\d\d (?:Client|Server) Error|on the Hugging Face Hub either|Connection to \S+ timed out`)
	// vague is a kind that says nothing by itself, so that what it was raised for counts too.
	vague = []string{"OSError", "RuntimeError", "ValueError", "Exception", "EnvironmentError", "IOError", "ConnectionError", "TimeoutError",
		"FileNotFoundError", "DatasetGenerationError", "RetryError"}
)

// NetworkIn returns what a chain of exceptions tells of an address that was not reached; ok is false where it is about something else.
// Flower's own connections are left out: they are no address of the app.
func NetworkIn(chain []Exception) (n Network, ok bool) {
	if len(chain) == 0 {
		return n, false
	}
	if _, below, found := AppFrame(chain); found &&
		slices.ContainsFunc(below, func(f Frame) bool { return strings.Contains(strings.ReplaceAll(f.Path, `\`, "/"), "/flwr/") }) {
		return n, false
	}
	last := chain[len(chain)-1]
	about := last.network() || slices.Contains(vague, last.Kind) && last.inNetworkCode()
	for i := len(chain) - 1; i > 0 && !about; i-- {
		if chain[i].From == Cause || chain[i].From == Context && slices.Contains(vague, chain[i].Kind) {
			about = chain[i-1].network()
			continue
		}
		break
	}
	if !about {
		return n, false
	}
	var texts []string
	for _, e := range slices.Backward(chain) {
		texts = append(texts, e.Kind+": "+e.Full())
	}
	text := strings.Join(texts, "\n")
	n.Trouble = troubleIn(text)
	if slices.Contains([]Trouble{Refused, NoName, NoRoute, TimedOut}, n.Trouble) && viaProxy(chain) {
		return Network{Trouble: ProxyDown}, true
	}
	n.Address = addressIn(text, n.Trouble)
	if n.Address == "" {
		n.Address = hubIn(chain, text)
	}
	if n.Address == "" {
		n.Address = addressInCode(chain)
	}
	return n, true
}

func (e Exception) network() bool {
	full := e.Full()
	switch {
	case netWords().MatchString(full):
		return true
	case slices.Contains(netKinds, e.Kind):
		// Common names count only where the module or the words agree.
		return e.Kind != "HTTPError" && e.Kind != "ReadError" && e.Kind != "WriteError" && e.Kind != "EntryNotFoundError" ||
			netModules().MatchString(e.Module)
	case netModules().MatchString(e.Module):
		return troubleIn(e.Kind+": "+full) != Unreached || e.Kind == "ConnectionError" || e.Kind == "Timeout"
	}
	return (e.Kind == "ConnectionError" || e.Kind == "TimeoutError") && e.Module == "" &&
		(troubleIn(full) != Unreached || strings.Contains(full, "http"))
}

var networkCode = lazily(`/(?:aiohttp|httpx|httpcore|urllib3|requests|huggingface_hub|fsspec)/|/urllib/request\.py|/http/client\.py|/socket\.py|/ssl\.py`)

// inNetworkCode reports whether it was raised while a network library worked.
func (e Exception) inNetworkCode() bool {
	return slices.ContainsFunc(e.Frames, func(f Frame) bool { return networkCode().MatchString(strings.ReplaceAll(f.Path, `\`, "/")) })
}

// viaProxy reports whether httpx was connecting to a proxy: its exception names neither.
func viaProxy(chain []Exception) bool {
	return slices.ContainsFunc(chain, func(e Exception) bool {
		at := slices.IndexFunc(e.Frames, func(f Frame) bool { return strings.HasSuffix(f.Path, "http_proxy.py") })
		return at >= 0 && slices.ContainsFunc(e.Frames[at:], func(f Frame) bool { return f.Func == "connect_tcp" })
	})
}

// troubles are tried in this order: what is told first is nearer to the reason.
var troubles = []struct {
	words   pattern
	trouble Trouble
}{
	{lazily(`(?i)offline mode is enabled|OfflineModeIsEnabled|outgoing traffic has been disabled|HF_HUB_OFFLINE`), Offline},
	{lazily(`Tunnel connection failed|407 Proxy|Proxy Authentication Required|ClientHttpProxyError|(?m)^ProxyError: 4\d\d|(?m)^ProxyError: \d\d\d `), ProxyDenied},
	{lazily(`Unable to connect to proxy|Cannot connect to proxy|ClientProxyConnectionError`), ProxyDown},
	{lazily(`CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerificationError|doesn't match either of|CertificateError`),
		Untrusted},
	{lazily(`\[SSL[:\]]|SSLError|SSLEOFError|UNEXPECTED_EOF_WHILE_READING|WRONG_VERSION_NUMBER`), NoTLS},
	{lazily(`(?i)\b429\b[ ,'].*?|Too Many Requests|too many 429 error responses`), Limited},
	{lazily(`(?i)gated (?:repo|dataset)|\b403 Client Error|'403 |HTTP Error 403|\b403 Forbidden|^ClientResponseError: 403|(?m)ResponseError: 403,|Access to this resource is disabled`), Denied},
	{lazily(`\b401 Client Error|'401 |HTTP Error 401|ResponseError: 401,|\b401 Unauthorized|LocalTokenNotFoundError|doesn't exist on the Hub or cannot be accessed`), SignIn},
	{lazily(`\b404 Client Error|'404 |HTTP Error 404|ResponseError: 404,|(?:Repository|Revision|Entry) Not Found for url|doesn't exist on the Hub|doesn't exist for dataset`), Missing},
	{lazily(`\b5\d\d Server Error|Server error '5|HTTP Error 5\d\d|ResponseError: 5\d\d,|too many 5\d\d error responses`), Failing},
	{lazily(`Failed to resolve|Name or service not known|[Tt]emporary failure in name resolution|nodename nor servname|getaddrinfo failed|No address associated with hostname|NameResolutionError|gaierror|\[Errno -[2-5]\]|Name does not resolve|ClientConnectorDNSError|DNS server returned`), NoName},
	{lazily(`Connection refused|\[Errno 111\]|WinError 10061|Connect call failed|ConnectionRefusedError`), Refused},
	{lazily(`Network is unreachable|No route to host|\[Errno 101\]|\[Errno 113\]|WinError 10051|WinError 10065`), NoRoute},
	{lazily(`(?i)timed out|ConnectTimeout|ReadTimeout|ServerTimeoutError|ConnectionTimeoutError|SocketTimeoutError|WinError 10060|\[Errno 110\]`), TimedOut},
	{lazily(`Connection reset by peer|Connection aborted|RemoteDisconnected|Server [Dd]isconnected|IncompleteRead|peer closed connection|Connection broken|WinError 10054|\[Errno 104\]|Remote end closed|payload is not completed`), BrokenOff},
	{lazily(`No host specified|unknown url type|Invalid URL|UnsupportedProtocol|Failed to parse:|No scheme supplied`), BadAddress},
}

func troubleIn(text string) Trouble {
	for _, t := range troubles {
		if t.words().MatchString(text) {
			return t.trouble
		}
	}
	return Unreached
}

var (
	proxyAddress  = lazily(`Unable to connect to proxy[^\n]*?host='([^']+)', port=(\d+)`)
	toldAddresses = []pattern{
		lazily(`(?:for url:?|url=|Cannot reach|Tried to reach|Couldn't reach|[Cc]ouldn't connect to|Cannot access content at:|Url:|try to (?:load|access) it from|Downloading) *['"<]?(https?://[^\s'"<>)]+)`),
		lazily(`HTTPS?Connection(?:Pool)?\(host='([^']+)', port=(\d+)`),
		lazily(`Failed to resolve '([^']+)'`),
		lazily(`Cannot connect to host ([^\s:]+):(\d+)`),
		lazily(`Connect call failed \('([^']+)', (\d+)`),
		lazily(`Connection to (\S+) timed out`),
		lazily(`(https?://[^\s'"<>)\]]+)`),
	}
	urlPattern  = lazily(`https?://[^\s'"<>)\]]+`)
	hostPattern = lazily(`^[A-Za-z0-9._-]{1,253}$`)
	docsPattern = lazily(`developer\.mozilla\.org|readthedocs|/docs/|httpstatuses`)
)

func addressIn(text string, t Trouble) string {
	if m := proxyAddress().FindStringSubmatch(text); m != nil && t == ProxyDown {
		return hostPort(m[1], m[2])
	}
	for _, p := range toldAddresses {
		for _, m := range p().FindAllStringSubmatch(text, 20) {
			var a string
			if strings.HasPrefix(m[1], "http") && strings.Contains(m[1], "://") {
				if docsPattern().MatchString(m[1]) {
					continue
				}
				a = hostOf(m[1])
			} else if len(m) > 2 {
				a = hostPort(m[1], m[2])
			} else {
				a = hostPort(m[1], "")
			}
			if a != "" {
				return a
			}
		}
	}
	return ""
}

// hostOf is the host of a URL, with its port where it names one. A user, a password and a path are left out: they may be secret.
func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "/")
	rest, _, _ = strings.Cut(rest, "?")
	rest = strings.TrimRight(rest[strings.LastIndexByte(rest, '@')+1:], ".,;:")
	host, port, _ := strings.Cut(rest, ":")
	return hostPort(host, port)
}

func hostPort(host, port string) string {
	if strings.Count(host, ":") > 1 && !strings.ContainsAny(host, " /@") { // IPv6
		host = "[" + strings.Trim(host, "[]") + "]"
	} else if !hostPattern().MatchString(host) {
		return ""
	}
	if port == "" || port == "443" || port == "80" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return host
	}
	return host + ":" + port
}

// hubIn names the Hugging Face Hub where its library tells that it is meant.
func hubIn(chain []Exception, text string) string {
	if strings.Contains(text, "on the Hub") || strings.Contains(text, "Hugging Face Hub") || strings.Contains(text, "hf.co ") ||
		strings.Contains(text, "the Hub and we cannot") ||
		slices.ContainsFunc(chain, func(e Exception) bool {
			return strings.HasPrefix(e.Module, "huggingface_hub") ||
				slices.ContainsFunc(e.Frames, func(f Frame) bool { return strings.Contains(f.Path, "huggingface_hub") })
		}) {
		return Hub
	}
	return ""
}

// addressInCode finds a URL that the app's own lines name, the deepest first.
func addressInCode(chain []Exception) string {
	for _, e := range slices.Backward(chain) {
		for _, f := range slices.Backward(e.Frames) {
			if f.own() {
				if a := hostOf(urlPattern().FindString(f.Code)); a != "" {
					return a
				}
			}
		}
	}
	return ""
}

// IsAddress reports whether a text is one of the addresses that [NetworkIn] returns.
func IsAddress(address string) bool {
	return address == "" || address == Hub || hostPattern().MatchString(strings.NewReplacer("[", "", "]", "", ":", "").Replace(address))
}
