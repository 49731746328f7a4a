package audit

import (
	"context"
	"net/http"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/ledger"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/rest"
	"github.com/cofre-kms/cofre/server/shape"
)

type tileRequest struct{ Path string }

// tileParameters are the requestParameters of the record.
type tileParameters struct {
	Path string `json:"path"`
}

func (s *Service) getTileRoute() rest.Route {
	return rest.Bind[any](rest.Spec{
		Name: "GetLedgerTile", ReadOnly: reads, Method: "GET", Path: "/v1/ledger/log/tile/{path...}",
		Summary: "A tile of the tree, or an entry bundle (C2SP tlog-tiles)", Media: []string{mediaTile},
	}, shape.Of(shape.Text("path", shape.String{Min: 1, Max: 64}, func(q *tileRequest) *string { return &q.Path }).Required()), s.getTile)
}

// getTile answers tiles and bundles as far as the published checkpoint covers
// them. Hashes tell nothing of records; bundles are the records of all accounts.
func (s *Service) getTile(_ context.Context, tx *fsm.Txn, c *call.Call, q *tileRequest) (any, error) {
	c.Record.Parameters = tileParameters{q.Path}
	path, bad := ledger.ParseTilePath("tile/" + q.Path)
	permit := s.permit
	if path.Entries {
		permit = func(tx *fsm.Txn, c *call.Call) error { return s.permitRecords(tx, c, "") }
	}
	if err := permit(tx, c); err != nil {
		return nil, err
	}
	size, err := s.covered()
	if err != nil {
		return nil, err
	}
	if bad != nil || !path.Exists(size) {
		return nil, refuse(http.StatusNotFound, "NotFound", "The ledger has no such tile: a checkpoint of %d records is published.", size)
	}
	body, err := s.tile(path, size)
	if err != nil {
		return nil, err
	}
	return &rest.Raw{ContentType: mediaTile, Body: body}, nil
}

// covered is how many records the published checkpoint covers.
func (s *Service) covered() (int64, error) {
	note, err := s.published()
	if err != nil {
		return 0, err
	}
	c, err := ledger.CheckpointOf(note)
	return c.Size, err
}

func (s *Service) tile(p ledger.TilePath, size int64) ([]byte, error) {
	if !p.Entries {
		return ledger.EncodeTile(p, size, s.cfg.Node.Hashes())
	}
	var bundle []byte
	left := p.Width
	err := s.cfg.Ledger.Events(p.N*ledger.TileWidth, func(_ int64, event []byte) (bool, error) {
		bundle = ledger.AppendEntry(bundle, event)
		left--
		return left > 0, nil
	})
	return bundle, err
}
