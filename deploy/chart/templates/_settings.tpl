{{/*
The nodes' configuration file: names are those of the program's flags. What each
pod knows for itself alone is in its environment.
*/}}
{{- define "parking.settings" -}}
{{- if eq (int .Values.gossip.port) (int .Values.metrics.port) -}}
{{- fail (printf "gossip.port and metrics.port are both %d; one pod needs two ports" (int .Values.gossip.port)) -}}
{{- end -}}
cluster: {{ default (include "parking.fullname" .) .Values.cluster | quote }}
discover: {{ include "parking.discover" . | quote }}
bind: {{ printf ":%d" (int .Values.gossip.port) | quote }} # of the pod's address
profile: {{ .Values.profile }}
gates: {{ int .Values.gates }}
spaces: {{ int64 .Values.spaces }}
ack: {{ int .Values.ack }}
push: {{ .Values.push }}
no-faults: {{ .Values.noFaults }}
log-level: {{ .Values.log.level }}
log-format: {{ .Values.log.format }}
metrics: {{ printf "0.0.0.0:%d" (int .Values.metrics.port) | quote }} # IPv6 too
pprof: {{ .Values.metrics.pprof }}
{{- end }}

{{/*
The name that has the addresses of all pods, ready or not, and where they gossip.
With its last dot it is looked for as it stands, and not along a search list.
*/}}
{{- define "parking.discover" -}}
dns:{{ include "parking.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}.:{{ int .Values.gossip.port }}
{{- end }}

{{/*
Bytes at which Go's collector works hard: 90 % of the memory limit. The downward
API would give all of it.
*/}}
{{- define "parking.goMemLimit" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $limit := dig "limits" "memory" "" (default dict .Values.resources) -}}
{{- if $limit -}}
{{- $number := regexFind "^[0-9]+" $limit -}}
{{- div (mul (int64 $number) (get $units (trimPrefix $number $limit)) 9) 10 -}}
{{- end -}}
{{- end }}

{{/*
The environment. What the chart sets, here or by the settings, extraEnv may not: it
would rule, unseen by what is compared when a release is upgraded. The program reads
its variables in either case.
*/}}
{{- define "parking.env" -}}
{{- $own := list "PARKING_SNAME" "PARKING_POD_IP" "PARKING_CONFIG" "PARKING_COOKIE" "PARKING_COOKIE_FILE" "PARKING_RUNTIME_DIR" -}}
{{- range $setting, $_ := include "parking.settings" . | fromYaml -}}
{{- $own = append $own (printf "PARKING_%s" ($setting | upper | replace "-" "_")) -}}
{{- end -}}
{{- $given := dict -}}
{{- range .Values.extraEnv -}}
{{- if has (upper .name) $own -}}
{{- fail (printf "extraEnv sets %s, which is the chart's; see values.yaml for the value that decides it" .name) -}}
{{- end -}}
{{- if hasKey $given .name -}}
{{- fail (printf "extraEnv sets %s twice" .name) -}}
{{- end -}}
{{- $_ := set $given .name true -}}
{{- end -}}
- name: PARKING_SNAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: PARKING_POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: PARKING_CONFIG
  value: /etc/parking/settings/parking.yaml
- name: PARKING_COOKIE_FILE
  value: /etc/parking/cookie/{{ .Values.cookie.key }}
- name: PARKING_RUNTIME_DIR
  value: /run/parking
{{- $limit := include "parking.goMemLimit" . }}
{{- if and $limit (not (hasKey $given "GOMEMLIMIT")) }}
- name: GOMEMLIMIT
  value: {{ $limit | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
