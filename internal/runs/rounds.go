package runs

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// roundKeys are the config keys that hold the number of rounds, the likeliest first: Flower's templates have the first ones. They are
// written here as [plainKey] makes them.
var roundKeys = []string{"numserverrounds", "numrounds", "serverrounds", "nrounds", "rounds", "totalrounds", "maxrounds", "globalrounds", "numglobalrounds", "communicationrounds",
	"commrounds", "numcommrounds", "federatedrounds", "flrounds", "trainingrounds", "roundsnum", "numberofrounds"}

// plainKey is a config key without what apps write differently: "fl.num_rounds" and "num-rounds" are one.
func plainKey(key string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(key[strings.LastIndexByte(key, '.')+1:]))
}

// plannedRounds reads the number of rounds from the config; 0 where no key names it. Such an app tells the total in its log, or not at all.
func plannedRounds(app domain.AppVersion, config map[string]any) int {
	best, planned := len(roundKeys), 0
	for _, k := range app.Config {
		rank := slices.Index(roundKeys, plainKey(k.Key))
		if rank < 0 || rank >= best {
			continue
		}
		v, ok := config[k.Key]
		if !ok {
			v = k.Default
		}
		if n := roundCount(v); n > 0 {
			best, planned = rank, n
		}
	}
	return planned
}

// roundCount reads a number of rounds; 0 for what is none.
func roundCount(v any) int {
	f := 0.0
	switch v := v.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	case string:
		f, _ = strconv.ParseFloat(strings.TrimSpace(v), 64) // 0 is no number of rounds
	}
	if f < 1 || f >= 1_000_000 || f != math.Trunc(f) {
		return 0
	}
	return int(f)
}
