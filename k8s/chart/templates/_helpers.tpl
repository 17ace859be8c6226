{{- /* Labels of an object: (dict "top" $ "component" name); component may be empty. */ -}}
{{- define "qtasks.labels" -}}
app.kubernetes.io/name: qtasks
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
helm.sh/chart: {{ .top.Chart.Name }}-{{ .top.Chart.Version }}
{{- end }}

{{- /* Labels by which pods are found. */ -}}
{{- define "qtasks.pods" -}}
app.kubernetes.io/name: qtasks
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- /* An image: (dict "top" $ "name" "worker"). */ -}}
{{- define "qtasks.image" -}}
{{- with .top.Values.image.registry }}{{ . }}/{{ end }}qtasks/{{ .name }}:{{ .top.Values.image.tag | default .top.Chart.AppVersion }}
{{- end }}

{{- define "qtasks.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "qtasks.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "qtasks.writable" -}}
- {name: secrets, mountPath: /run/secrets/qtasks, readOnly: true}
- {name: home, mountPath: /var/lib/qtasks}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- /* The names of the components for which `needs` has a key: (dict "top" $ "need" "token"). Of those that are left out too,
which harms nobody. */ -}}
{{- define "qtasks.needing" -}}
{{- $names := list -}}
{{- range $name, $component := .top.Values.components -}}
{{- if get ($component.needs | default dict) $.need -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end }}
