package watch

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strconv"

	"blossomtune/internal/domain"
)

// exportRows is how many metrics are read at once.
const exportRows = 5_000

// ExportedMetric is a metric in the JSON export.
type ExportedMetric struct {
	Round       int    `json:"round"`
	Phase       string `json:"phase"`
	Participant string `json:"participant,omitempty"` // left out: the whole federation
	Node        string `json:"node,omitempty"`
	Name        string `json:"name"`
	Value       any    `json:"value"` // a number, or "NaN", "Infinity", "-Infinity"
}

// export hands all of a run's metrics on, a part at a time.
func (s *Reader) export(ctx context.Context, run domain.Run, take func(domain.Metric) error) error {
	after := int64(0)
	for {
		ms, err := s.Metrics(ctx, run, after, exportRows)
		if err != nil || len(ms) == 0 {
			return err
		}
		for _, m := range ms {
			if err := take(m); err != nil {
				return err
			}
		}
		after = ms[len(ms)-1].ID
	}
}

// WriteCSV writes every metric of a run, one a row; labels names participants by the id of their SuperNode.
func (s *Reader) WriteCSV(ctx context.Context, run domain.Run, labels map[string]string, to io.Writer) error {
	out := csv.NewWriter(to)
	_ = out.Write([]string{"round", "phase", "participant", "node", "name", "value"}) // Flush tells
	err := s.export(ctx, run, func(m domain.Metric) error {
		e := exported(m, labels)
		return out.Write([]string{strconv.Itoa(e.Round), e.Phase, domain.CSVCell(e.Participant), e.Node, domain.CSVCell(e.Name), NumberText(m.Value)})
	})
	if out.Flush(); err == nil {
		err = out.Error()
	}
	return err
}

// WriteJSON writes every metric of a run as one list of [ExportedMetric].
func (s *Reader) WriteJSON(ctx context.Context, run domain.Run, labels map[string]string, to io.Writer) error {
	out := bufio.NewWriter(to)
	_, _ = out.WriteString("[") // Flush tells
	between := "\n"
	err := s.export(ctx, run, func(m domain.Metric) error {
		text, err := json.Marshal(exported(m, labels))
		if err != nil {
			return err
		}
		_, _ = out.WriteString(between)
		between = ",\n"
		_, err = out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	_, _ = out.WriteString("\n]\n")
	return out.Flush()
}

func exported(m domain.Metric, labels map[string]string) ExportedMetric {
	e := ExportedMetric{Round: m.Round, Phase: string(m.Phase), Name: m.Name, Value: m.Value}
	if m.NodeID != 0 {
		e.Node = strconv.FormatUint(m.NodeID, 10)
		e.Participant = labels[e.Node]
	}
	if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		e.Value = NumberText(m.Value)
	}
	return e
}

// NumberText is a number with all its digits; what is none is spelled out.
func NumberText(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
