"""The track cache: a DynamoDB table of the features of each track, and its retry time."""
