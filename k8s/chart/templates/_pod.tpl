{{- define "qtasks.environment" -}}
{{- $c := .component -}}
{{- $needs := $c.needs | default dict -}}
{{- $env := dict "QTASKS_HOME" "/var/lib/qtasks" "QTASKS_LOG_FORMAT" "json" -}}
{{- with $c.stopSeconds }}{{ $_ := set $env "QTASKS_STOP_SECONDS" . }}{{ end -}}
{{- if $needs.services -}}
{{- /* Results go out from polling workers alone, so that nobody else has to reach where users want them. */ -}}
{{- $env = merge $env (dict
  "QTASKS_DATABASE_URL_FILE" "/run/secrets/qtasks/database-url"
  "QTASKS_BROKER_URL_FILE" "/run/secrets/qtasks/broker-url"
  "QTASKS_OBJECT_STORE_URL" .top.Values.objectStore.url
  "AWS_SHARED_CREDENTIALS_FILE" "/run/secrets/qtasks/aws-credentials"
  "AWS_REGION" .top.Values.objectStore.region
  "QTASKS_CONFIG" "/etc/qtasks/config.yaml"
  "QTASKS_DELIVER_AT_ONCE" "false"
) -}}
{{- with .top.Values.objectStore.endpoint }}{{ $_ := set $env "AWS_ENDPOINT_URL_S3" . }}{{ end -}}
{{- $env = mergeOverwrite $env .top.Values.settings -}}
{{- else if has "broker-url" ($c.secrets | default list) -}}
{{- $_ := set $env "QTASKS_BROKER_URL_FILE" "/run/secrets/qtasks/broker-url" -}}
{{- end -}}
{{- if eq (first $c.args) "operator" }}{{ $_ := set $env "QTASKS_OPERATOR_NAMESPACES" (join "," .top.Values.servedNamespaces) }}{{ end -}}
{{- if $c.metrics }}{{ $env = merge $env (dict "QTASKS_METRICS_HOST" "0.0.0.0" "QTASKS_METRICS_PORT" "9464") }}{{ end -}}
{{- if $needs.sandbox -}}
{{- $env = merge $env (dict "QTASKS_SANDBOX_SOCKET" "/run/sandbox/socket" "QTASKS_SANDBOX_MEMORY" .top.Values.sandbox.sourceMemory) -}}
{{- end -}}
{{- range $key, $value := mergeOverwrite $env ($c.env | default dict) }}
- {name: {{ $key }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- range $variable, $key := $c.secretEnv }}
- {name: {{ $variable }}, valueFrom: {secretKeyRef: {name: {{ $.top.Values.secretName }}, key: {{ $key }}, optional: true}}}
{{- end }}
{{- end }}

{{- /* Progress, not a pid: /healthz answers 503 when nothing moves on that should. */ -}}
{{- define "qtasks.probes" -}}
{{- $port := .metrics | default false | ternary "metrics" "http" -}}
{{- $http := .http | default (dict "port" 9464 "live" "/healthz" "ready" "/readyz") -}}
ports: [{name: {{ $port }}, containerPort: {{ $http.port }}}]
startupProbe:
  httpGet: {path: {{ $http.live }}, port: {{ $port }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: {{ $http.live }}, port: {{ $port }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: {{ $http.ready }}, port: {{ $port }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{- /* Waits for the migration. Requests and limits are equal, or simulations' pods would not be of the class Guaranteed. */ -}}
{{- define "qtasks.schema" -}}
- name: schema
  image: {{ include "qtasks.image" (dict "top" .top "name" .image) }}
  args: [db, wait, --timeout, "600"]
  env:
    - {name: QTASKS_HOME, value: /var/lib/qtasks}
    - {name: QTASKS_LOG_FORMAT, value: json}
    - {name: QTASKS_DATABASE_URL_FILE, value: /run/secrets/qtasks/database-url}
  resources:
    requests: {cpu: 250m, memory: 256Mi}
    limits: {cpu: 250m, memory: 256Mi}
  securityContext: {{- include "qtasks.confined" . | nindent 4 }}
  volumeMounts: {{- include "qtasks.writable" . | nindent 4 }}
{{- end }}

{{- /* Shares a socket with the worker and nothing else; the volume's group lets the worker connect. */ -}}
{{- define "qtasks.sandbox" -}}
- name: sandbox
  restartPolicy: Always
  image: {{ include "qtasks.image" (dict "top" .top "name" .image) }}
  command: [tini, --, python, -m, qtasks.circuits.sandbox, --socket, /run/sandbox/socket]
  startupProbe:
    exec: {command: [test, -S, /run/sandbox/socket]}
    periodSeconds: 1
    failureThreshold: 60
  resources: {{- toYaml .top.Values.sandbox.resources | nindent 4 }}
  securityContext:
    runAsUser: 10002
    runAsGroup: 10002
    {{- include "qtasks.confined" . | nindent 4 }}
  volumeMounts:
    - {name: sandbox, mountPath: /run/sandbox}
{{- end }}

{{- define "qtasks.volumes" -}}
{{- $needs := .component.needs | default dict -}}
{{- $name := .top.Values.secretName -}}
- {name: home, emptyDir: {}}
- {name: tmp, emptyDir: {}}
- name: secrets
  projected:
    sources:
      - secret:
          name: {{ $name }}
          items:
            {{- range .component.secrets | default (list "database-url" "broker-url") }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      {{- if $needs.services }}
      - secret: {name: {{ $name }}, optional: true, items: [{key: aws-credentials, path: aws-credentials}]}
      {{- end }}
{{- if $needs.services }}
- name: config
  configMap: {name: qtasks-config}
{{- end }}
{{- if $needs.sandbox }}
- name: sandbox
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- if $needs.token }}
- name: token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}
{{- end }}
