package observe

import (
	"cmp"
	"maps"
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
	records, beyond := m.records(objects)
	for _, r := range records {
		beyond += r.beyond
		for _, v := range r.values() {
			switch {
			case r.role == asSettings && m.repeats(v):
			case len(out) >= maxPerReply:
				beyond++
			default:
				out = append(out, readingOf(v, r.name, r.role))
			}
		}
	}
	return out, beyond
}

// record is a record of a reply under one of its names: records of equal content are one object.
type record struct {
	name string
	role role
	object
}

// maxRecords bounds the records that are read of one reply: a small RecordDict can give thousands of names to one large record.
const maxRecords = maxPerReply

// records returns the records of a reply that have numbers, those of MetricRecords first, and how many numbers the records have that are
// too many. Of the objects each is listed once.
func (m *memory) records(objects []string) (out []record, beyond int) {
	add := func(name string, r role, o object) {
		switch {
		case r == asNothing:
		case len(out) >= maxRecords:
			beyond += len(o.values()) + o.beyond
		default:
			out = append(out, record{cut(name, maxName), r, o})
		}
	}
	numbers, named := map[string]object{}, map[string]bool{}
	for _, id := range objects {
		if o, known := m.objects.get(id); known && o.names == nil {
			numbers[id] = o
		}
	}
	for _, id := range objects {
		dict, _ := m.objects.get(id)
		for _, name := range slices.Sorted(maps.Keys(dict.names)) {
			of := dict.names[name]
			if o, known := numbers[of]; known {
				named[of] = true
				add(name, roleOf(name, o.config != nil), o)
			}
		}
	}
	for _, id := range objects {
		if o, known := numbers[id]; known && !named[id] && o.config == nil { // its RecordDict was too large to be read
			add("", asMetrics, o)
		}
	}
	slices.SortStableFunc(out, func(a, b record) int { return cmp.Or(cmp.Compare(a.role, b.role), cmp.Compare(a.name, b.name)) })
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
