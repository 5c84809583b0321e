package live

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Fifty streams that are woken at once look twice at most, and nobody gets what was read before they asked.
func TestStreamsLookTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l sharedLooks
		var looks, truth atomic.Int64
		look := func(context.Context) (looked, error) {
			looks.Add(1)
			seen := truth.Load()
			<-time.After(10 * time.Millisecond) // the bubble's clock: a look takes its time
			return looked{regions: []drawn{{id: "n", html: strconv.FormatInt(seen, 10)}}}, nil
		}
		var wg sync.WaitGroup
		for n := range 5 {
			truth.Store(int64(n))
			for range 50 {
				wg.Go(func() {
					got, err := l.do(t.Context(), "a", time.Millisecond, look)
					if v, _ := strconv.Atoi(got.regions[0].html); err != nil || v < n {
						t.Errorf("what was %d is seen as %d, %v", n, v, err)
					}
				})
			}
			synctest.Wait()
		}
		wg.Wait()
		if n := looks.Load(); n != 2 {
			t.Errorf("%d looks for 250 that asked within one", n)
		}
		synctest.Wait()
		if len(l.next) != 0 {
			t.Errorf("%d keys are kept", len(l.next))
		}
		if _, err := l.do(t.Context(), "a", time.Millisecond, look); err != nil || looks.Load() != 3 {
			t.Errorf("the next look is not one of its own: %v", err)
		}
	})
}
