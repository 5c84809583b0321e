package runs

import "blossomtune/internal/domain"

// level is how ServerApps are contained on this machine; "" where it is not known.
func (s *Service) level() domain.Containment {
	if s.Contained == nil {
		return ""
	}
	return s.Contained()
}
