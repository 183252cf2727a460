from connect.eaas.core.decorators import event, variables
from connect.eaas.core.extension import EventsApplicationBase
from connect.eaas.core.responses import BackgroundResponse


@variables([
    {'name': 'GREETING', 'initial_value': 'hello', 'secure': False},
])
class MyExtension(EventsApplicationBase):

    @event('asset_purchase_request_processing', statuses=['pending'])
    async def handle_purchase_request(self, request):
        customer = request['asset'].get('tiers', {}).get('customer', {}).get('name', 'somebody')
        self.logger.info(f"{self.config['GREETING']}, {customer}: {request['id']} is a purchase")
        # Approve it, ask for more, or come back later: BackgroundResponse.done() says that you are through with it,
        # BackgroundResponse.reschedule(60) that it shall be delivered again in a minute.
        return BackgroundResponse.done()
