from abc import ABC, abstractmethod


class BackgroundTransaction(ABC):
    @abstractmethod
    def name(self):
        ...

    @abstractmethod
    def should_execute(self, request):
        ...

    @abstractmethod
    def execute(self, request):
        ...

    @abstractmethod
    def compensate(self, request, e):
        ...
