package soft

import "github.com/cofre-kms/cofre/hsm/wipe"

func (a *aead) wipe() { wipe.Value(a.AEAD) }

func (m *material) wipe() {
	if m.key != nil {
		m.key.Wipe()
		return
	}
	wipe.Value(m.block)
	wipe.Value(m.sealer)
}
