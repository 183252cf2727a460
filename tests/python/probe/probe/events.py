"""Does what the note of the object says: `bench:NAME[:ARG]`. For tests, and for measuring the official runner."""
import asyncio
import json
import os

from connect.client import ClientError
from connect.eaas.core.decorators import event, schedulable, variables
from connect.eaas.core.extension import EventsApplicationBase
from connect.eaas.core.responses import BackgroundResponse, InteractiveResponse, ScheduledExecutionResponse

STATUSES = ['pending', 'inquiring']
BACKGROUND = [
    *(f'asset_{kind}_request_processing' for kind in ('purchase', 'change', 'suspend', 'resume', 'cancel', 'adjustment')),
    *(f'tier_config_{kind}_request_processing' for kind in ('setup', 'change', 'adjustment')),
]
INTERACTIVE = [
    'asset_purchase_request_validation',
    'asset_change_request_validation',
    'tier_config_setup_request_validation',
    'tier_config_change_request_validation',
    'product_action_execution',
    'product_custom_event_processing',
]


def instruction(note):
    if not isinstance(note, str) or not note.startswith('bench:'):
        return 'success', ''
    name, _, argument = note[len('bench:'):].partition(':')
    return name, argument


@variables([
    {'name': 'PLAIN_VAR', 'initial_value': 'plain-default', 'secure': False},
    {'name': 'SECRET_VAR', 'initial_value': 'secret-default', 'secure': True},
])
class ProbeEventsApplication(EventsApplicationBase):

    async def obey(self, request, note, response):
        name, argument = instruction(note)
        if name == 'fail':
            return response.fail('bench says no')
        if name == 'skip':
            return response.skip('bench says skip')
        if name == 'reschedule':
            return response.reschedule(int(argument or 30))
        if name == 'slow':
            return response.slow_process_reschedule(int(argument or 300))
        if name == 'raise':
            raise ValueError('bench raises')
        if name == 'bigraise':
            raise ValueError('x' * 10000)
        if name == 'sleep':
            await asyncio.sleep(float(argument))
        if name == 'hang':
            await asyncio.Event().wait()
        if name == 'exit':
            os._exit(3)
        if name == 'log':
            self.logger.info(argument)
        if name == 'config':
            return response.fail(json.dumps(dict(self.config), sort_keys=True))
        if name == 'rest':
            await self.approve(request)
        return response.done()

    async def approve(self, request):
        product = request['asset']['product']['id']
        templates = self.client.products[product].templates
        try:
            template = await templates.filter(scope='asset', type='fulfillment').first()
        except ClientError as error:
            # A Connect that keeps no templates takes an approval without one.
            if error.status_code != 404:
                raise
            template = None
        payload = {'template_id': template['id']} if template else {}
        await self.client.requests[request['id']]('approve').post(payload=payload)

    @schedulable('Run', 'Does what the note of its parameter says')
    async def run_schedule(self, schedule):
        return await self.obey(schedule, (schedule.get('parameter') or {}).get('note'), ScheduledExecutionResponse)


def background(event_type):
    async def handle(self, request):
        return await self.obey(request, request.get('note'), BackgroundResponse)
    handle.__name__ = f'handle_{event_type}'
    return event(event_type, statuses=STATUSES)(handle)


def interactive(event_type):
    async def handle(self, request):
        name, _ = instruction(request.get('note'))
        if name == 'fail':
            return InteractiveResponse.fail(body=request, output='bench says no')
        if name == 'raise':
            raise ValueError('bench raises')
        return InteractiveResponse.done(body=request)
    handle.__name__ = f'handle_{event_type}'
    return event(event_type)(handle)


for event_type in BACKGROUND:
    setattr(ProbeEventsApplication, f'handle_{event_type}', background(event_type))
for event_type in INTERACTIVE:
    setattr(ProbeEventsApplication, f'handle_{event_type}', interactive(event_type))
