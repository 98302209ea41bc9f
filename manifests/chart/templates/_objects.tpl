{{/*
The objects of the installation are plain files under objects/, which kustomize reads too. Templates
read them and lay the values over them.
*/}}

{{/* The object in the file .file, moved to the namespace of the release .root; as YAML. */}}
{{- define "portcullis.object" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $object := .root.Files.Get (printf "objects/%s.yaml" .file) | fromYaml -}}
{{- if hasKey $object.metadata "namespace" -}}
{{- $_ := set $object.metadata "namespace" $namespace -}}
{{- else if hasPrefix "ClusterRole" $object.kind -}}
{{- $_ := set $object.metadata "name" (include "portcullis.clusterName" (list .root $object.metadata.name)) -}}
{{- end -}}
{{- with $object.roleRef -}}
{{- if eq .kind "ClusterRole" -}}
{{- $_ := set . "name" (include "portcullis.clusterName" (list $.root .name)) -}}
{{- end -}}
{{- end -}}
{{- range $object.subjects -}}
{{- $_ := set . "namespace" $namespace -}}
{{- end -}}
{{- toYaml $object -}}
{{- end -}}

{{/* Names without a namespace must differ between installations: [root, name]. */}}
{{- define "portcullis.clusterName" -}}
{{- $namespace := (index . 0).Release.Namespace -}}
{{- index . 1 -}}
{{- if ne $namespace "portcullis-system" -}}-{{ $namespace }}{{- end -}}
{{- end -}}

{{- define "portcullis.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}
{{- end -}}
