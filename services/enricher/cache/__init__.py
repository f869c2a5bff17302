"""The track cache: a DynamoDB table of what is known of each track."""
