package agent

import (
	"maps"
	"net/http"

	"blossomtune/internal/flower/wire"
)

// signed signs one API call with this machine's key. The signature counts once and for this call alone.
func (n *node) signed(req *http.Request, body []byte) error {
	sig, err := wire.SignCall(n.sign.key, req.Method, req.URL.RequestURI(), body, n.sign.next())
	maps.Copy(req.Header, sig)
	return err
}
