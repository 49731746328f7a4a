package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settleTimeout bounds how long Raft may take to answer the commands that it has
// taken once the node ends: a leader without quorum answers within its lease,
// only a hung disk takes longer.
const settleTimeout = 5 * time.Second

// Close hands leadership over where the node has it, lets running transactions
// end until ctx is done, and stops the node. A disk that hangs makes it give up
// after a while, with an error.
func (n *Node) Close(ctx context.Context) error {
	n.handOver(ctx)
	n.queue.Close(ctx)
	n.fate.end(nil)
	return n.release()
}

// handOver asks Raft to make another member leader, and waits until it is one or
// the attempt has failed. Raft's own answer is not waited for: it never comes
// where Raft stops first.
func (n *Node) handOver(ctx context.Context) {
	leading, lost := n.leadership.leading()
	if !leading || len(n.voterNames()) < 2 {
		return
	}
	n.raft.LeadershipTransfer()
	timeout := time.NewTimer(2 * n.cfg.Timing.Election) // Raft gives up after one
	defer timeout.Stop()
	select {
	case <-lost:
	case <-timeout.C:
		n.logger.Warn("cannot hand leadership over")
	case <-ctx.Done():
	}
}

// fail ends the node because of err: it leaves the network at once, and answers
// nothing more. It does not block.
func (n *Node) fail(err error) {
	if !n.fate.end(err) {
		return
	}
	n.logger.Error("the node has to stop", "error", err)
	n.background.Go(func() {
		n.isolate()
		now, cancel := context.WithCancel(n.ctx)
		cancel()
		n.queue.Close(now)
	})
}

// isolate leaves the network: nothing that Raft says reaches a peer any more.
func (n *Node) isolate() {
	n.leaving.Do(func() {
		n.port.leave()
		close(n.isolated)
	})
}

// stopRaft stops Raft, once it has answered the commands that it took, and its
// transport.
func (n *Node) stopRaft() error {
	n.proposals.close()
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	n.proposals.wait(ctx)

	shutdown := n.raft.Shutdown()
	n.isolate()
	n.transport.CloseStreams()
	if err := shutdown.Error(); err != nil {
		return fmt.Errorf("stopping Raft: %w", err)
	}
	return nil
}

// release closes whatever Open has opened. The node has ended.
func (n *Node) release() error {
	var errs []error
	if n.raft != nil {
		if err := n.awaitRaft(); err != nil {
			return err
		}
	}
	n.stop()
	n.peers.close()
	if n.queue != nil {
		n.queue.Close(n.ctx)
	}
	if n.transport != nil {
		errs = append(errs, n.transport.Close())
	}
	if n.port != nil {
		n.isolate()
		n.port.running.Wait()
	}
	n.background.Wait()
	if n.herald != nil {
		n.herald.running.Wait()
	}
	if n.stores != nil {
		errs = append(errs, n.stores.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	n.metrics.unregister()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the node: %w", err)
	}
	return nil
}

// awaitRaft returns when Raft has stopped, with an error where it does not.
func (n *Node) awaitRaft() error {
	grace := time.NewTimer(2 * settleTimeout)
	defer grace.Stop()
	select {
	case <-n.raftStopped:
		return n.raftError
	case <-grace.C:
		return errors.New("cluster: Raft does not stop: its disk hangs")
	}
}
