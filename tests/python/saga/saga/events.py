"""What `examples/onboarding.rs` does, in the framework for Python, as far as its trace is compared with that one's."""
import json

from connect.eaas.core.decorators import event, variables
from connect.eaas.core.extension import EventsApplicationBase
from connect.eaas.core.responses import BackgroundResponse
from pymongo import MongoClient
from rndi.connect.business_transactions.contracts import BackgroundTransaction
from rndi.connect.devops_fulfillment_framework.application import Saga


TENANT = 'backup_tenant_id'


class CreateTenant(BackgroundTransaction):
    def __init__(self, client, config, logger):
        self.client, self.config, self.logger = client, config, logger

    def name(self):
        return 'create tenant'

    def should_execute(self, request):
        return not any(param['id'] == TENANT and param.get('value') for param in request['asset']['params'])

    def execute(self, request):
        self.logger.info('making a tenant')
        params = [{'id': TENANT, 'value': 'tenant'}]
        request['asset'] = self.client.requests[request['id']].update({'asset': {'params': params}})['asset']
        if self.config.get('DB_HOST', '-') != '-':
            user, password, host = (self.config[name] for name in ('DB_USER', 'DB_PASSWORD', 'DB_HOST'))
            with MongoClient(f'mongodb://{user}:{password}@{host}/?directConnection=true') as store:
                store['saga']['tenants'].insert_one({'request': request['id']})
        return BackgroundResponse.reschedule(30)

    def compensate(self, request, e):
        self.logger.warning('the tenant is removed again')
        return BackgroundResponse.fail(f'no tenant: {e}')


def broken(request):
    raise ValueError('the vendor is away')


APPROVE = ('approve', lambda request: True, lambda request: BackgroundResponse.done())


def timing(request, call_on=None):
    return call_on(request)


def silent(request, call_on=None):
    return BackgroundResponse.skip('nothing to do here')


class NeedsMore(CreateTenant):
    def __init__(self, nowhere):
        self.nowhere = nowhere


class Purchase(Saga):
    def transactions(self, request):
        note = request.get('note', '')
        if note == 'none':
            return []
        if note == 'missing':
            return [NeedsMore]
        if note == 'unreadable':
            return [('read', lambda request: True, lambda request: json.loads('no json'))]
        if note == 'broken':
            return [('break', lambda request: True, broken)]
        return [CreateTenant, APPROVE]

    def middlewares(self, request):
        return [silent] if request.get('note') == 'silent' else [timing]


@variables([
    {'name': name, 'initial_value': '-', 'secure': name == 'DB_PASSWORD'} for name in ('DB_HOST', 'DB_USER', 'DB_PASSWORD')
])
class SagaEventsApplication(EventsApplicationBase):

    @event('asset_purchase_request_processing', statuses=['pending'])
    def handle_purchase_request(self, request):
        return Purchase.make(self.config, self.client, self.logger).resolve(request)

    @event('asset_change_request_processing', statuses=['pending'])
    async def handle_change_request(self, request):
        self.logger.info('no framework here')
        return BackgroundResponse.done()
