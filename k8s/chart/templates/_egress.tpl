{{- /* What the pods of some components may reach: (dict "top" $ "name" n "pods" list "to" peers "ports" list). */ -}}
{{- define "qtasks.egress" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: qtasks-{{ .name }}
  namespace: {{ .top.Release.Namespace }}
  labels: {{- include "qtasks.labels" (dict "top" .top "component" "") | nindent 4 }}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: qtasks}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: {{ toJson .pods }}}
  policyTypes: [Egress]
  egress:
    - to: {{- toYaml .to | nindent 8 }}
      ports:
        {{- range .ports }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
{{- end }}
