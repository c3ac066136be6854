{{/*
What pods must have in common to find each other cannot change while some run: each
that an update replaced would be a stranger to the others or found a lot of its own,
and the last step would end theirs. So it is compared with the StatefulSets that this
release has in the cluster, under whatever name.
*/}}
{{- define "parking.unchanged" -}}
{{- range (lookup "apps/v1" "StatefulSet" .Release.Namespace "").items -}}
{{- $labels := default dict .metadata.labels -}}
{{- if and (eq "parking" (get $labels "app.kubernetes.io/part-of")) (eq $.Release.Name (get $labels "app.kubernetes.io/instance")) -}}
{{- include "parking.sameSettings" (dict "root" $ "set" .) -}}
{{- include "parking.sameCookie" (dict "root" $ "set" .) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "parking.sameSettings" -}}
{{- $config := lookup "v1" "ConfigMap" .root.Release.Namespace .set.metadata.name -}}
{{- $is := include "parking.settings" .root | fromYaml -}}
{{- $was := get (default dict $config.data) "parking.yaml" | fromYaml | default $is -}}
{{- range list
      (list "fullnameOverride or nameOverride" .set.metadata.name (include "parking.fullname" .root))
      (list "nameOverride" (get .set.metadata.labels "app.kubernetes.io/name") (include "parking.name" .root))
      (list "cluster" $was.cluster $is.cluster)
      (list "gossip.port" (trimPrefix ":" $was.bind) (trimPrefix ":" $is.bind))
      (list "clusterDomain" $was.discover $is.discover) -}}
{{- if ne (index . 1) (index . 2) -}}
{{- fail (printf "%s: the pods that run have %s, and those with %s would lose them; leave it, or uninstall first: the lot does not outlive that" (index . 0) (index . 1) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "parking.sameCookie" -}}
{{- $secret := "" -}}
{{- $key := "" -}}
{{- range .set.spec.template.spec.volumes -}}
{{- if eq .name "cookie" -}}{{- $secret = .secret.secretName -}}{{- end -}}
{{- end -}}
{{- range (first .set.spec.template.spec.containers).env -}}
{{- if eq .name "PARKING_COOKIE_FILE" -}}{{- $key = base .value -}}{{- end -}}
{{- end -}}
{{- $was := include "parking.cookieIn" (dict "namespace" .root.Release.Namespace "secret" $secret "key" $key) -}}
{{- if not $was -}}
{{- fail (printf "cookie: the Secret %s, with which the pods that run were started, has no %s any more; put their cookie back there first: pods with another would lose them" $secret $key) -}}
{{- end -}}
{{- if ne $was (include "parking.cookie" .root) -}}
{{- fail (printf "cookie: the Secret %s does not have what the pods that run have from %s, and pods with another cookie would lose them; first put theirs there, as it is now, and rotate it afterwards, as docs/kubernetes.md tells" (include "parking.secret" .root) $secret) -}}
{{- end -}}
{{- end }}
