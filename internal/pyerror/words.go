package pyerror

import "fmt"

// Said says what failed, to follow the name of a machine: "failed to reach huggingface.co: its name could not be resolved".
func (n Network) Said() string {
	where := n.Address
	if where == "" {
		where = "an address that the error does not name"
	}
	switch n.Trouble {
	case Offline:
		if n.Address == "" {
			where = Hub
		}
		return "failed to load files from " + where + ": offline mode is on"
	case ProxyDown:
		if n.Address == "" {
			return "failed to connect to its proxy"
		}
		return "failed to connect to its proxy " + n.Address
	case ProxyDenied:
		return "failed to reach " + where + ": the proxy refused the connection"
	case SignIn:
		return "was refused by " + where + ": it requires a sign-in (401)"
	case Denied:
		return "was refused by " + where + ": access denied (403)"
	case Missing:
		return "found nothing at " + where + ": not found (404)"
	case Limited:
		return "was refused by " + where + ": too many requests (429)"
	case Failing:
		return "got a server error from " + where
	case BrokenOff:
		return "lost its connection to " + where
	case BadAddress:
		return "failed to use an invalid address"
	}
	if why := whys[n.Trouble]; why != "" {
		return "failed to reach " + where + ": " + why
	}
	return "failed to reach " + where
}

var whys = map[Trouble]string{
	NoName: "its name could not be resolved", Refused: "connection refused", NoRoute: "no route to it", TimedOut: "timed out",
	Untrusted: "its TLS certificate is not trusted", NoTLS: "the TLS connection failed",
}

// Remedy says what to do about it on a machine: "the server", "that machine".
func (n Network) Remedy(machine string) string {
	beforehand := fmt.Sprintf("or copy the files to %s beforehand", machine)
	hub := n.Address == Hub || n.Address == "huggingface.co" || n.Address == "hf.co"
	switch n.Trouble {
	case Offline:
		return fmt.Sprintf("Unset HF_HUB_OFFLINE on %s, or download the files into its Hugging Face cache before the run.", machine)
	case NoName:
		return fmt.Sprintf("Check the address, DNS and internet access on %s, %s.", machine, beforehand)
	case ProxyDown:
		return fmt.Sprintf("Start the proxy, or correct HTTP_PROXY and HTTPS_PROXY on %s.", machine)
	case ProxyDenied:
		return fmt.Sprintf("Have the proxy allow this address, or correct the user and password in HTTPS_PROXY on %s.", machine)
	case Untrusted:
		return fmt.Sprintf("Install the certificate authority on %s and set SSL_CERT_FILE and REQUESTS_CA_BUNDLE to its file. Check the "+
			"machine's clock.", machine)
	case NoTLS:
		return fmt.Sprintf("Check that the address and port speak HTTPS, and that no proxy intercepts TLS on %s.", machine)
	case SignIn, Denied:
		if hub {
			return fmt.Sprintf("Check the name of the repository. If it is private or gated, set HF_TOKEN on %s to a token that has access to it.",
				machine)
		}
		return fmt.Sprintf("Give the app credentials with access on %s, or use public data.", machine)
	case Missing:
		return "Correct the name or the revision in the app or the run config."
	case Limited:
		if hub {
			return fmt.Sprintf("Wait and launch the run again. Set HF_TOKEN on %s for a higher limit, %s.", machine, beforehand)
		}
		return fmt.Sprintf("Wait and launch the run again, %s.", beforehand)
	case Failing:
		return "Wait until that server works again, then launch the run again."
	case Refused:
		return fmt.Sprintf("Check that the address and port are right and that the service runs; a firewall on the way from %s may refuse too.",
			machine)
	case BadAddress:
		return "Correct the address in the app or the run config."
	}
	return fmt.Sprintf("Check internet access, firewall and proxy settings on %s, %s.", machine, beforehand)
}
