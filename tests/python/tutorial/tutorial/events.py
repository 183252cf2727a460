"""Saves each purchase request through the HTTP Data API and through the driver, as the documentation's example does."""
import httpx
from connect.eaas.core.decorators import event, variables
from connect.eaas.core.extension import EventsApplicationBase
from connect.eaas.core.responses import BackgroundResponse
from motor.motor_asyncio import AsyncIOMotorClient


@variables([
    {'name': 'DATA_API_ENDPOINT', 'initial_value': '<change me>', 'secure': False},
    {'name': 'API_KEY', 'initial_value': '<change me>', 'secure': True},
    {'name': 'CLUSTER', 'initial_value': 'Cluster0', 'secure': False},
    {'name': 'DB', 'initial_value': 'tutorial', 'secure': False},
    {'name': 'HTTP_COLLECTION', 'initial_value': 'http_requests', 'secure': False},
    {'name': 'DRIVER_COLLECTION', 'initial_value': 'driver_requests', 'secure': False},
    {'name': 'DB_HOST', 'initial_value': '<change me>', 'secure': False},
    {'name': 'DB_USER', 'initial_value': '<change me>', 'secure': False},
    {'name': 'DB_PASSWORD', 'initial_value': '<change me>', 'secure': True},
])
class TutorialEventsApplication(EventsApplicationBase):

    async def save_through_data_api(self, request):
        url = f"{self.config['DATA_API_ENDPOINT']}/action/insertOne"
        headers = {
            'Content-Type': 'application/json',
            'Access-Control-Request-Headers': '*',
            'api-key': self.config['API_KEY'],
        }
        payload = {
            'dataSource': self.config['CLUSTER'],
            'database': self.config['DB'],
            'collection': self.config['HTTP_COLLECTION'],
            'document': request,
        }
        async with httpx.AsyncClient() as client:
            response = await client.post(url, headers=headers, json=payload)
        response.raise_for_status()
        self.logger.info(f"{request['id']} saved through the Data API")

    async def save_through_driver(self, request):
        user, password, host = (self.config[name] for name in ('DB_USER', 'DB_PASSWORD', 'DB_HOST'))
        client = AsyncIOMotorClient(f'mongodb+srv://{user}:{password}@{host}/')
        try:
            await client[self.config['DB']][self.config['DRIVER_COLLECTION']].insert_one(request)
        finally:
            client.close()
        self.logger.info(f"{request['id']} saved through the driver")

    @event('asset_purchase_request_processing', statuses=['pending'])
    async def handle_purchase_request(self, request):
        self.logger.info(f"Received purchase request {request['id']}")
        await self.save_through_data_api(request)
        await self.save_through_driver(request)
        return BackgroundResponse.done()
