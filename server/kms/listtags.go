package kms

import (
	"context"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
)

type listResourceTagsResponse struct {
	Tags []tag
	truncation
}

func (s *Service) listResourceTags(_ context.Context, tx *fsm.Txn, c *call.Call, req *listRequest) (*listResourceTagsResponse, error) {
	c.Record.Parameters = req.recorded()
	k, err := s.key(tx, c, req.KeyID, byID)
	if err != nil {
		return nil, err
	}
	p, err := newPage("tags "+k.ID, req.Limit, 50, 50, req.Marker, func(name string) bool { return name != "" })
	if err != nil {
		return nil, err
	}
	tags, err := readTags(tx, k)
	if err != nil {
		return nil, err
	}
	resp := &listResourceTagsResponse{Tags: []tag{}}
	for _, t := range tags {
		if t.Key <= p.after {
			continue
		}
		if n := len(resp.Tags); n > 0 && resp.full(p, n, resp.Tags[n-1].TagKey) {
			break
		}
		resp.Tags = append(resp.Tags, tag{TagKey: t.Key, TagValue: t.Value})
	}
	return resp, nil
}
