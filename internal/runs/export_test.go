package runs

import "context"

// Step lets a test drive a federation one step at a time.
func (s *Service) Step(ctx context.Context, fedID int64) (active bool, err error) {
	return s.driver.Step(ctx, fedID)
}

// StopTailers ends what an earlier [Service.Step] began.
func (s *Service) StopTailers() { s.follower.Close() }

// LargeFrom sets from how many SuperNodes and exchanges on what a run waits for is kept for a moment.
func (s *Service) LargeFrom(n int) { s.waits.large = n }
