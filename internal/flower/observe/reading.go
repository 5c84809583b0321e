package observe

import (
	"cmp"
	"slices"

	"blossomtune/internal/domain"
)

// reading is one number of a reply, and the record that holds it.
type reading struct {
	value
	record  string // "" where the name alone says what it is
	setting bool   // of a ConfigRecord
}

// readings returns the numbers of a reply by its records, those of MetricRecords first, and how many more there were. The order in which
// the records were put into the reply makes no difference.
func (m *memory) readings(objects []string) (out []reading, beyond int) {
	type record struct {
		name string
		role role
		object
	}
	names := map[string][]string{} // record names by object: records of equal content are one object
	for _, id := range objects {
		if o, known := m.objects.get(id); known {
			for name, of := range o.names {
				names[of] = append(names[of], name)
			}
		}
	}
	var records []record
	done := map[string]bool{}
	for _, id := range objects {
		o, known := m.objects.get(id)
		if !known || done[id] || o.names != nil {
			continue
		}
		done[id] = true
		if len(names[id]) == 0 && o.config == nil { // its RecordDict was too large to be read
			records = append(records, record{"", asMetrics, o})
		}
		for _, name := range names[id] {
			if r := roleOf(name, o.config != nil); r != asNothing {
				records = append(records, record{name, r, o})
			}
		}
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.name, b.name)) })
	for _, r := range records {
		beyond += r.beyond
		for _, v := range slices.Concat(r.metric, r.config) {
			if r.role == asSettings && m.repeats(v) {
				continue
			}
			out = append(out, readingOf(v, r.name, r.role))
		}
	}
	return out, beyond
}

func readingOf(v value, record string, r role) reading {
	switch {
	case r == asProtocol:
		record = ""
	case r == asMetrics && (record == "fitres.metrics" || record == "evaluateres.metrics") && (v.name == "loss" || domain.IsExamples(v.name)):
		v.name, record = domain.FitMetricName(record+"."+v.name), "" // the bare name is the protocol's
	}
	return reading{v, record, r == asSettings}
}

const (
	maxSent     = 500 // config keys remembered of what was sent out
	maxSentEach = 4   // newest values of each
)

// sends remembers the numbers of a config that the ServerApp sends out.
func (m *memory) sends(config []value) {
	for _, v := range config {
		if last, known := m.sent[v.name]; !slices.Contains(last, v.value) && (known || len(m.sent) < maxSent) {
			m.sent[v.name] = append(last[max(len(last)-maxSentEach+1, 0):], v.value)
		}
	}
}

// repeats reports whether a number in a reply's config is what the ServerApp sent out under that name.
func (m *memory) repeats(v value) bool {
	return roundKeys[v.name] || slices.Contains(m.sent[v.name], v.value)
}

// bound keeps a run's metrics within their limits and says how many were left out. A list counts as one name.
func (m *memory) bound(in []reading) (kept []reading, over int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range in {
		name := v.record + "\x00" + domain.WholeName(v.name)
		full := len(m.names) >= maxNames || v.setting && m.settings >= domain.MaxSettings
		if len(kept) >= maxPerReply || !m.names[name] && full {
			over++
			continue
		}
		if !m.names[name] && v.setting {
			m.settings++
		}
		m.names[name] = true
		kept = append(kept, v)
	}
	return kept, over
}
