package runs

import "blossomtune/internal/domain"

// appUID is the user that a federation's ServerApps run as.
func (s *Service) appUID(fedID int64) (int, error) {
	if s.AppUID == nil {
		return 0, nil
	}
	return s.AppUID(fedID)
}

// level is how ServerApps are contained on this machine; "" where it is not known.
func (s *Service) level() domain.Containment {
	if s.Contained == nil {
		return ""
	}
	return s.Contained()
}
