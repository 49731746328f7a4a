package server

import "slices"

// charge takes a request from its account's quota of the operation, and answers
// false where it is used up: before the operation has cost anything, and without
// a record. What an operation charges later is charged to the same account, each
// group once, however often it runs.
func (s *Server) charge(x *exchange, account string) bool {
	if s.rates == nil {
		return true
	}
	x.call.Quota = func(group string) bool {
		if slices.Contains(x.charged, group) {
			return true
		}
		allowed := s.rates.Allow(account, group)
		if allowed {
			x.charged = append(x.charged, group)
		}
		return allowed
	}
	return x.call.Quota(x.op.Name)
}
