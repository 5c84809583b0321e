package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/idempotency"
	"blossomtune/internal/safely/safehttp"

	"github.com/danielgtaylor/huma/v2"
)

// keyHeader names a call, so that it can be repeated when its answer was lost. Replayed is in the answer to a repeated one.
const (
	keyHeader = "Idempotency-Key"
	replayed  = "Idempotent-Replayed"

	keepWithin = 10 * time.Second

	secretAnswer = "x-secret-answer" // in the description
)

// holdsSecret marks an operation whose answer holds a secret that is given out once.
func holdsSecret(o huma.Operation) huma.Operation {
	o.Extensions = map[string]any{secretAnswer: true}
	return o
}

// repeatable lets signed-in callers of an operation repeat a call. Uploads need no key: the same file again changes nothing.
func (a *api) repeatable(o *huma.Operation) {
	if o.Method != http.MethodPost || len(o.Security) == 0 || o.Security[0]["node"] != nil || o.MaxBodyBytes > maxBody {
		return
	}
	longest := idempotency.MaxKey
	o.Parameters = append(o.Parameters, &huma.Param{Name: keyHeader, In: "header",
		Description: "A text that you choose for this call, such as a random UUID. The same call with the same key within a day changes nothing and gets the first answer.",
		Schema:      &huma.Schema{Type: "string", MaxLength: &longest, Pattern: `^[!-~]*$`}})
	o.Middlewares = append(o.Middlewares, a.once)
}

// once carries a call with a key out, or gives the answer of the first one with that key.
func (a *api) once(ctx huma.Context, next func(huma.Context)) {
	key := ctx.Header(keyHeader)
	if key == "" {
		next(ctx)
		return
	}
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), maxBody+1))
	if err != nil || len(body) > maxBody { // too large, or cut off: the operation refuses it, and says why
		next(&heldCall{humaContext: ctx, body: io.MultiReader(bytes.NewReader(body), ctx.BodyReader())})
		return
	}
	url := ctx.URL()
	call := idempotency.Call{PersonID: callerOf(ctx.Context()).person.ID, Key: key,
		Request: append(fmt.Appendf(nil, "%s %s\n", ctx.Method(), url.RequestURI()), body...)}
	answered, err := a.Idempotency.Begin(ctx.Context(), call)
	if err != nil {
		a.fail(ctx, err)
		return
	}
	if answered != nil {
		ctx.SetHeader(replayed, "true")
		if answered.Answer != "" {
			ctx.SetHeader("Content-Type", "application/json")
		}
		give(ctx, answered.Status, []byte(answered.Answer))
		return
	}
	held := &heldCall{humaContext: ctx, body: bytes.NewReader(body)}
	held.out = &held.answer
	next(held)
	// Who calls may be gone by now: that is what the answer is kept for.
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx.Context()), keepWithin)
	defer cancel()
	secret := ctx.Operation().Extensions[secretAnswer] != nil
	if err := a.Idempotency.End(c, call, held.status, held.answer.String(), secret); err != nil { // it was carried out all the same
		a.Log.Error("keeping an answer", "request", safehttp.ID(ctx.Context()), "operation", ctx.Operation().OperationID, "err", err)
	}
	give(ctx, held.status, held.answer.Bytes())
}

func give(ctx huma.Context, status int, answer []byte) {
	ctx.SetStatus(status)
	_, _ = ctx.BodyWriter().Write(answer) // who has gone away has nobody to tell
}

type humaContext = huma.Context

// heldCall is a call whose body was read, and whose answer is held back until it is kept.
type heldCall struct {
	humaContext
	body   io.Reader
	status int
	answer bytes.Buffer
	out    io.Writer // nil: the answer goes out at once
}

// BodyReader reads what was read before.
func (c *heldCall) BodyReader() io.Reader { return c.body }

// SetReadDeadline is for reading the body, which is over: a deadline would end the call, and those after it on the connection.
func (c *heldCall) SetReadDeadline(at time.Time) error {
	if c.out != nil {
		return nil
	}
	return c.humaContext.SetReadDeadline(at)
}

// SetStatus holds the status back.
func (c *heldCall) SetStatus(status int) {
	if c.out == nil {
		c.humaContext.SetStatus(status)
	}
	c.status = status
}

// Status is what was set.
func (c *heldCall) Status() int { return c.status }

// BodyWriter takes the answer.
func (c *heldCall) BodyWriter() io.Writer {
	if c.out == nil {
		return c.humaContext.BodyWriter()
	}
	return c.out
}
