package pkcs11

import "time"

// AwaitQuiet returns when no call is inside the module: a call's answer comes
// before it has swept the objects that it discarded.
func (p *Partition) AwaitQuiet() bool {
	slots, all := p.drain(time.Minute)
	for _, sl := range slots {
		p.idle <- sl
	}
	return all
}
