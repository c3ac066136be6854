{{/*
The cookie, base64. What the Secret holds is kept, also after it was rotated
there; at the first install it is what is given, or one is made. A pod that
started with another cookie would be a stranger to those that run, and a rolling
update would replace them all by strangers: that would be the end of the lot.
*/}}
{{- define "parking.cookie" -}}
{{- $secret := include "parking.secret" . -}}
{{- $key := .Values.cookie.key -}}
{{- $given := .Values.cookie.value | b64enc -}}
{{- $old := lookup "v1" "Secret" .Release.Namespace $secret -}}
{{- $data := dict -}}
{{- if $old -}}{{- $data = default dict $old.data -}}{{- end -}}
{{- if and $data (not (hasKey $data $key)) -}}
{{- fail (printf "cookie.key: the Secret %s has no %s, but %s; leave the key as it was, or the pods would lose each other" $secret $key (keys $data | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if not $data -}}
{{- default (randAlphaNum 43 | b64enc) $given -}}
{{- else if and $given (ne $given (get $data $key)) -}}
{{- fail (printf "cookie.value is not what the Secret %s holds, and pods with another cookie would lose each other; first rotate the cookie and put the new one into the Secret, as docs/kubernetes.md tells" $secret) -}}
{{- else -}}
{{- get $data $key -}}
{{- end -}}
{{- end }}

{{/*
What pods must have in common to find each other cannot change while some run:
each that an update replaced would found a lot of its own.
*/}}
{{- define "parking.unchanged" -}}
{{- $old := lookup "v1" "ConfigMap" .Release.Namespace (include "parking.fullname" .) -}}
{{- if and $old (hasKey (default dict $old.data) "parking.yaml") -}}
{{- $was := get $old.data "parking.yaml" | fromYaml -}}
{{- $is := include "parking.settings" . | fromYaml -}}
{{- range $setting, $value := dict "cluster" "cluster" "bind" "gossip.port" -}}
{{- if ne (get $was $setting) (get $is $setting) -}}
{{- fail (printf "%s: the pods that run have %s, and those with %s would lose them; leave it, or uninstall first: the lot does not outlive that" $value (get $was $setting | trimPrefix ":") (get $is $setting | trimPrefix ":")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
