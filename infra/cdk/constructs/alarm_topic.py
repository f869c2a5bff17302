"""Who is told when something is wrong."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.cdk.config import PipelineConfig
from infra.cdk.names import topic_name


class AlarmTopic(Construct):
    """A topic that alarms of this account speak through, and that mails its owner."""

    def __init__(self, scope: Construct, construct_id: str, *, config: PipelineConfig) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=topic_name(config), enforce_ssl=True)
        self._let_alarms_speak()
        if config.alert_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(config.alert_email))

    def _let_alarms_speak(self) -> None:
        # Demanding TLS gives the topic a policy, and that replaces the one by which alarms of
        # the same account may publish.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
