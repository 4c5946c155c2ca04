# Serves the saved model that is mounted at /model: docs/serving.md says how.
FROM python:3.11-slim

WORKDIR /app
COPY constraints.txt requirements-serve.txt ./
RUN pip install --no-cache-dir -c constraints.txt -r requirements-serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY shared ./shared
COPY langchain_zeroshot ./langchain_zeroshot
COPY llama_index_zeroshot ./llama_index_zeroshot
RUN pip install --no-cache-dir --no-deps .

RUN useradd --create-home serve
USER serve
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready')"]
ENTRYPOINT ["zeroshot"]
CMD ["serve", "--model", "/model", "--host", "0.0.0.0", "--port", "8000"]
