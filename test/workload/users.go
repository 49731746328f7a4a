package workload

import (
	"context"
	"fmt"
	"strings"

	"github.com/cofre-kms/cofre/test/history"
)

// userNames is for how many names the clients compete.
const userNames = 2

// name is a user's name, and one of the ways to write it: to IAM they are the
// same.
func (c *Client) name() (name, written string) {
	name = fmt.Sprintf("user-%d", c.Rand.IntN(userNames))
	if c.Rand.IntN(3) == 0 {
		return name, strings.ToUpper(name)
	}
	return name, name
}

func (c *Client) createUser(ctx context.Context) {
	name, written := c.name()
	var made struct {
		ID string `xml:"CreateUserResult>User>UserId"`
	}
	op := &history.Op{Name: "CreateUser", User: name}
	c.doIAM(ctx, op, m{"UserName": written}, &made)
	op.Resolved = made.ID
}

func (c *Client) getUser(ctx context.Context) {
	name, written := c.name()
	var seen struct {
		ID string `xml:"GetUserResult>User>UserId"`
	}
	op := &history.Op{Name: "GetUser", User: name}
	c.doIAM(ctx, op, m{"UserName": written}, &seen)
	op.Resolved = seen.ID
}

func (c *Client) deleteUser(ctx context.Context) {
	name, written := c.name()
	c.doIAM(ctx, &history.Op{Name: "DeleteUser", User: name}, m{"UserName": written}, nil)
}
