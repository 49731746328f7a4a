package managed

import "strings"

// Key is the AWS managed key of a service ("AWS managed keys" in the KMS
// developer guide): an account has one in each Region as soon as the service needs
// it.
type Key struct {
	Alias       string // alias/aws/s3
	Service     string // who makes it and uses it: s3.amazonaws.com
	Title       string // the service's name in the policy: S3
	Description string
	grants      bool // the service makes grants
}

// Keys answers the managed keys, sorted by alias.
func Keys() []*Key {
	return []*Key{
		{"alias/aws/backup", "backup.amazonaws.com", "Backup", protects("Backup recovery points"), true},
		{"alias/aws/dynamodb", "dynamodb.amazonaws.com", "Amazon DynamoDB", protects("DynamoDB data"), true},
		{"alias/aws/ebs", "ec2.amazonaws.com", "EBS", protects("EBS volumes"), true},
		{"alias/aws/elasticfilesystem", "elasticfilesystem.amazonaws.com", "EFS", protects("EFS filesystems"), true},
		{"alias/aws/elastictranscoder", "elastictranscoder.amazonaws.com", "Elastic Transcoder", protects("Elastic Transcoder jobs"), false},
		{"alias/aws/fsx", "fsx.amazonaws.com", "Amazon FSx", protects("FSx resources"), true},
		{"alias/aws/kinesis", "kinesis.amazonaws.com", "Kinesis", protects("Kinesis streams"), false},
		{"alias/aws/lambda", "lambda.amazonaws.com", "AWS Lambda", protects("Lambda functions"), true},
		{"alias/aws/rds", "rds.amazonaws.com", "RDS", protects("RDS database volumes"), true},
		{"alias/aws/redshift", "redshift.amazonaws.com", "Redshift", protects("Redshift clusters"), true},
		{"alias/aws/s3", "s3.amazonaws.com", "S3", protects("S3 objects"), false},
		{"alias/aws/secretsmanager", "secretsmanager.amazonaws.com", "AWS Secrets Manager", protects("Secrets Manager data"), true},
		{"alias/aws/sns", "sns.amazonaws.com", "SNS", protects("SNS data"), false},
		{"alias/aws/sqs", "sqs.amazonaws.com", "SQS", protects("SQS messages"), false},
		{"alias/aws/ssm", "ssm.amazonaws.com", "AWS Systems Manager", protects("SSM parameters"), false},
	}
}

func protects(what string) string {
	return "Default key that protects my " + what + " when no other key is defined"
}

// FindKey answers the managed key of an alias, nil where it is of none.
func FindKey(alias string) *Key {
	for _, k := range Keys() {
		if k.Alias == alias {
			return k
		}
	}
	return nil
}

// KeyPolicy answers the policy of an account's managed key in a Region, as AWS
// has it: everybody in the account uses the key through the service, and the
// account may look at it. Nobody may change it.
func KeyPolicy(alias, account, region string) string {
	k := FindKey(alias)
	if k == nil { // of another release, which knows the service
		k = &Key{Alias: alias, Service: "unknown.amazonaws.com"}
	}
	name := strings.TrimPrefix(alias, "alias/aws/")
	use, look := `"kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"`, `"kms:Describe*", "kms:Get*", "kms:List*"`
	if k.grants {
		use += `, "kms:CreateGrant"`
		look += `, "kms:RevokeGrant"`
	}
	via := strings.TrimSuffix(k.Service, ".amazonaws.com") + "." + region + ".amazonaws.com"
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + name + `-2",
  "Statement" : [ {
    "Sid" : "Allow access through ` + k.Title + ` for all principals in the account that are authorized to use ` + k.Title + `",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ ` + use + `, "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "` + account + `",
        "kms:ViaService" : "` + via + `"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + account + `:root"
    },
    "Action" : [ ` + look + ` ],
    "Resource" : "*"
  } ]
}`
}
