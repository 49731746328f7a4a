package ledger

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// AppendEntry adds a record to an entry bundle (C2SP tlog-tiles): a big-endian
// length of 16 bits, then the record, which has MaxEvent bytes at most.
func AppendEntry(bundle, record []byte) []byte {
	return append(binary.BigEndian.AppendUint16(bundle, uint16(len(record))), record...)
}

// Entries reads an entry bundle. The records share its memory. It answers
// ErrMalformed.
func Entries(bundle []byte) ([][]byte, error) {
	var records [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return nil, fmt.Errorf("%w: an entry bundle ends within a record", ErrMalformed)
		}
		n := 2 + int(binary.BigEndian.Uint16(bundle))
		records = append(records, bundle[2:n:n])
		bundle = bundle[n:]
	}
	return records, nil
}

// TilePath is what a path of C2SP tlog-tiles below the prefix names: a tile, or an
// entry bundle.
type TilePath struct {
	Entries bool // an entry bundle; Level is 0
	Level   int
	N       int64
	Width   int // hashes or records; TileWidth where it is full
}

// String is the path.
func (p TilePath) String() string {
	level := strconv.Itoa(p.Level)
	if p.Entries {
		level = "entries"
	}
	number := fmt.Sprintf("%03d", p.N%1000)
	for n := p.N / 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	path := "tile/" + level + "/" + number
	if p.Width != TileWidth {
		path += ".p/" + strconv.Itoa(p.Width)
	}
	return path
}

// ParseTilePath reads a path. It answers ErrMalformed for one that String does
// not write.
func ParseTilePath(path string) (TilePath, error) {
	bad := fmt.Errorf("%w: %q is no path of a tile", ErrMalformed, path)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, more := strings.Cut(rest, "/")
	if !ok || !more {
		return TilePath{}, bad
	}
	p := TilePath{Width: TileWidth, Entries: level == "entries"}
	var err error
	if !p.Entries {
		if p.Level, err = strconv.Atoi(level); err != nil || p.Level < 0 || p.Level > 63 {
			return TilePath{}, bad
		}
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		if p.Width, err = strconv.Atoi(width); err != nil || p.Width < 1 || p.Width >= TileWidth {
			return TilePath{}, bad
		}
	}
	if p.N, err = strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(number), 10, 64); err != nil || p.N < 0 || p.String() != path {
		return TilePath{}, bad
	}
	return p, nil
}

// Exists says whether a tree of a size has the tile or bundle.
func (p TilePath) Exists(size int64) bool {
	if p.Level >= TileLevels {
		return false
	}
	hashes := size >> (TileHeight * p.Level)
	start := p.N << TileHeight
	if start>>TileHeight != p.N {
		return false
	}
	return start <= hashes-int64(p.Width)
}

// EncodeTile answers the bytes of a hash tile: its hashes one after the other.
func EncodeTile(p TilePath, size int64, hashes tlog.HashReader) ([]byte, error) {
	if p.Entries || !p.Exists(size) {
		return nil, fmt.Errorf("%w: a tree of %d records has no %s", ErrMalformed, size, p)
	}
	indexes := make([]int64, p.Width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(TileHeight*p.Level, p.N<<TileHeight+int64(i))
	}
	list, err := hashes.ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, p.Width*tlog.HashSize)
	for _, h := range list {
		b = append(b, h[:]...)
	}
	return b, nil
}
