{{- /* The proxy's settings, as docs/settings.md names them. */ -}}
{{- define "crossfade.environment" -}}
- {name: CROSSFADE_COLLECTIONS, value: /etc/crossfade/collections.yaml}
- {name: CROSSFADE_LISTEN, value: "0.0.0.0:50051"}
- {name: CROSSFADE_CONTROL_DATABASE, value: {{ .Values.controlDatabase | quote }}}
- {name: CROSSFADE_LEASE_SECONDS, value: {{ .Values.leaseSeconds | quote }}}
- {name: CROSSFADE_GRACE_SECONDS, value: {{ .Values.graceSeconds | quote }}}
- {name: CROSSFADE_MEMORY_LIMIT, value: {{ .Values.memoryLimit | quote }}}
- {name: CROSSFADE_LOG_LEVEL, value: {{ .Values.logLevel | quote }}}
- {name: AWS_REGION, value: {{ .Values.dynamodb.region | quote }}}
- name: CROSSFADE_MONGODB_URI
  valueFrom:
    secretKeyRef: {name: {{ .Values.secrets.existingSecret }}, key: {{ .Values.secrets.uriKey }}}
- name: CROSSFADE_PAGE_TOKEN_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.secrets.existingSecret }}, key: {{ .Values.secrets.pageTokenKey }}}
{{- with .Values.dynamodb.endpoint }}
- {name: CROSSFADE_DYNAMODB_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if .Values.insecure }}
- {name: CROSSFADE_INSECURE, value: "true"}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: CROSSFADE_TLS_CERT, value: /etc/crossfade-tls/tls.crt}
- {name: CROSSFADE_TLS_KEY, value: /etc/crossfade-tls/tls.key}
{{- with .Values.tls.clientCaKey }}
- {name: CROSSFADE_TLS_CLIENT_CA, value: {{ printf "/etc/crossfade-tls/%s" . | quote }}}
{{- end }}
{{- end }}
{{- if .Values.access.existingSecret }}
- {name: CROSSFADE_ACCESS, value: /etc/crossfade-access/access.yaml}
{{- with .Values.access.staticTokensKey }}
- {name: CROSSFADE_STATIC_TOKENS, value: {{ printf "/etc/crossfade-access/%s" . | quote }}}
{{- end }}
{{- end }}
{{- if .Values.telemetry.metrics }}
- {name: CROSSFADE_PROMETHEUS_LISTEN, value: "0.0.0.0:9464"}
{{- end }}
{{- with .Values.telemetry.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
- {name: CROSSFADE_TRACE_RATE, value: {{ $.Values.telemetry.traceRate | quote }}}
{{- end }}
{{- range $name, $value := .Values.extraEnvironment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}
