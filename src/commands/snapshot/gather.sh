set -u
set -f
umask 077
LC_ALL=C AWS_PAGER=
export LC_ALL AWS_PAGER
out=${1:-tagfall-snapshot}
taken=0
missing=0

say() { printf '%s\n' "$*" >&2; }

# Escapes a text for a JSON string.
escaped() { printf '%s' "$1" | tr -d '\000-\037\177' | sed 's/\\/\\\\/g; s/"/\\"/g'; }

# take FILE HEAD COMMAND…: writes the answer of COMMAND to FILE.json, in an envelope with time and place. The file is written completely
# or not at all. If COMMAND fails, that is reported and counted, and its error message is kept in a hidden file.
take() {
    file=$out/$1
    # Hidden files, which tagfall does not read as sources.
    part=${file%/*}/.${file##*/}.part
    error=${file%/*}/.${file##*/}.error
    head=$2
    shift 2
    mkdir -p "${file%/*}" || exit 2
    at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    if "$@" >"$part" 2>"$error"; then
        { printf '{"tagfall": {"at": "%s", %s}, "answer":\n' "$at" "$head" && cat "$part" && printf '}\n'; } >"$part.new" || exit 2
    elif grep -q LifecyclePolicyNotFoundException "$error"; then
        printf '{"tagfall": {"at": "%s", %s}, "error": "LifecyclePolicyNotFoundException"}\n' "$at" "$head" >"$part.new" || exit 2
    else
        missing=$((missing + 1))
        say "missing: $file: $(tr -d '\000-\010\013-\037\177' <"$error" | tail -n 1)"
        rm -f "$part"
        return
    fi
    mv "$part.new" "$file.json" || exit 2
    taken=$((taken + 1))
    rm -f "$part" "$error"
}

# names COMMAND…: the words of an answer, one a line. If COMMAND fails there are none; the call for the full answer then fails, too, and
# reports it.
names() { aws "$@" --region "$region" --output text 2>/dev/null | tr '\t' '\n' | grep -v '^None$'; }

# ask CALL FILE MORE COMMAND…: one call of the AWS CLI in the current region. The CLI reads all pages by itself.
ask() {
    call=$1
    where=$account/$region/$2
    more=$3
    shift 3
    take "$where" "\"call\": \"$call\", \"account\": \"$account\", \"region\": \"$region\", \"whole\": true$more" aws "$@" --region "$region" --output json
}

# in_batches SIZE CALL FILE WORDS COMMAND…: the same for the names in WORDS, SIZE of them in each call.
in_batches() {
    size=$1
    call_of=$2
    file_of=$3
    words=$4
    shift 4
    number=0 count=0 batch=
    for word in $words end; do
        if [ "$word" != end ]; then
            batch="$batch $word"
            count=$((count + 1))
            [ $count -eq "$size" ] || continue
        fi
        [ $count -gt 0 ] || continue
        number=$((number + 1))
        # shellcheck disable=SC2086 # names and ARNs have no spaces, and nothing is expanded (set -f)
        ask "$call_of" "$file_of-$number" "" "$@" $batch
        count=0 batch=
    done
}

# Whether a repository was asked for, by account, region and name; "*" matches any.
is_wanted() {
    [ -n "$repositories" ] || return 0
    for wanted in $repositories; do
        case "$account:$region:$1" in
        "$wanted") return 0 ;;
        esac
        case "$wanted" in
        "*:*:$1" | "$account:*:$1" | "*:$region:$1") return 0 ;;
        esac
    done
    return 1
}

ecr() {
    ask "ecr describe-repositories" ecr/describe-repositories "" ecr describe-repositories
    ask "ecr describe-registry" ecr/describe-registry "" ecr describe-registry
    ask "ecr list-pull-time-update-exclusions" ecr/list-pull-time-update-exclusions "" ecr list-pull-time-update-exclusions
    ask "ecr describe-repository-creation-templates" ecr/describe-repository-creation-templates "" ecr describe-repository-creation-templates
    ask "ecr describe-pull-through-cache-rules" ecr/describe-pull-through-cache-rules "" ecr describe-pull-through-cache-rules
    for repository in $(names ecr describe-repositories --query 'repositories[].repositoryName'); do
        is_wanted "$repository" || continue
        ask "ecr describe-images" "ecr/$repository/describe-images" ", \"repository\": \"$repository\", \"archived\": true" \
            ecr describe-images --repository-name "$repository" --filter imageStatus=ANY
        ask "ecr get-lifecycle-policy" "ecr/$repository/get-lifecycle-policy" ", \"repository\": \"$repository\"" \
            ecr get-lifecycle-policy --repository-name "$repository"
    done
}

ecs() {
    definitions=
    for cluster in $(names ecs list-clusters --query 'clusterArns[]'); do
        folder=ecs/${cluster##*/}
        services=$(names ecs list-services --cluster "$cluster" --query 'serviceArns[]')
        in_batches 10 "ecs describe-services" "$folder/describe-services" "$services" ecs describe-services --cluster "$cluster" --services
        for service in $services; do
            revisions=$(names ecs describe-services --cluster "$cluster" --services "$service" --query 'services[].currentServiceRevisions[].arn')
            in_batches 20 "ecs describe-service-revisions" "$folder/${service##*/}/describe-service-revisions" "$revisions" \
                ecs describe-service-revisions --service-revision-arns
            definitions="$definitions $(names ecs describe-services --cluster "$cluster" --services "$service" --query 'services[].deployments[].taskDefinition')"
        done
        tasks=$(names ecs list-tasks --cluster "$cluster" --query 'taskArns[]')
        # Without overrides, which may contain secrets.
        in_batches 100 "ecs describe-tasks" "$folder/describe-tasks" "$tasks" ecs describe-tasks \
            --query '{tasks: tasks[].{taskArn: taskArn, clusterArn: clusterArn, taskDefinitionArn: taskDefinitionArn, group: group, lastStatus: lastStatus, startedAt: startedAt, stoppedAt: stoppedAt, stoppedReason: stoppedReason, containers: containers[].{name: name, image: image, imageDigest: imageDigest, reason: reason}}, failures: failures}' \
            --cluster "$cluster" --tasks
    done
    # Each definition once, without environment variables, which may contain secrets.
    for definition in $(printf '%s\n' "$definitions" | tr ' ' '\n' | sort -u); do
        ask "ecs describe-task-definition" "ecs/task-definitions/${definition##*/}" "" ecs describe-task-definition --task-definition "$definition" \
            --query '{taskDefinition: taskDefinition.{taskDefinitionArn: taskDefinitionArn, family: family, revision: revision, status: status, registeredAt: registeredAt, containerDefinitions: containerDefinitions[].{name: name, image: image}}}'
    done
}

# Without environment variables, which may contain secrets.
functions() {
    ask "lambda list-functions" lambda/list-functions "" lambda list-functions \
        --query '{Functions: Functions[].{FunctionName: FunctionName, FunctionArn: FunctionArn, PackageType: PackageType, CodeSha256: CodeSha256, Version: Version, LastModified: LastModified}}'
    for name in $(names lambda list-functions --query "Functions[?PackageType=='Image'].FunctionName"); do
        ask "lambda get-function" "lambda/$name/get-function" "" lambda get-function --function-name "$name" \
            --query '{Configuration: Configuration.{FunctionName: FunctionName, FunctionArn: FunctionArn, PackageType: PackageType, CodeSha256: CodeSha256, Version: Version, LastModified: LastModified}, Code: Code.{ImageUri: ImageUri, ResolvedImageUri: ResolvedImageUri}}'
    done
}

others() {
    for service in $(names apprunner list-services --query 'ServiceSummaryList[].ServiceArn'); do
        name=${service#*:service/}
        ask "apprunner describe-service" "apprunner/${name%%/*}/describe-service" "" apprunner describe-service --service-arn "$service" \
            --query '{Service: Service.{ServiceName: ServiceName, ServiceArn: ServiceArn, Status: Status, UpdatedAt: UpdatedAt, SourceConfiguration: {ImageRepository: SourceConfiguration.ImageRepository.{ImageIdentifier: ImageIdentifier, ImageRepositoryType: ImageRepositoryType}, AutoDeploymentsEnabled: SourceConfiguration.AutoDeploymentsEnabled}}}'
    done
    ask "batch describe-job-definitions" batch/describe-job-definitions "" batch describe-job-definitions --status ACTIVE \
        --query '{jobDefinitions: jobDefinitions[].{jobDefinitionName: jobDefinitionName, jobDefinitionArn: jobDefinitionArn, revision: revision, status: status, containerProperties: {image: containerProperties.image}, ecsProperties: {taskProperties: ecsProperties.taskProperties[].{containers: containers[].{name: name, image: image}}}, eksProperties: {podProperties: {containers: eksProperties.podProperties.containers[].{name: name, image: image}, initContainers: eksProperties.podProperties.initContainers[].{name: name, image: image}}}}}'
    for endpoint in $(names sagemaker list-endpoints --query 'Endpoints[].EndpointName'); do
        ask "sagemaker describe-endpoint" "sagemaker/$endpoint/describe-endpoint" "" sagemaker describe-endpoint --endpoint-name "$endpoint"
        for config in $(names sagemaker describe-endpoint --endpoint-name "$endpoint" --query EndpointConfigName); do
            ask "sagemaker describe-endpoint-config" "sagemaker/$endpoint/describe-endpoint-config" "" \
                sagemaker describe-endpoint-config --endpoint-config-name "$config"
            for model in $(names sagemaker describe-endpoint-config --endpoint-config-name "$config" --query 'ProductionVariants[].ModelName'); do
                ask "sagemaker describe-model" "sagemaker/$endpoint/$model" "" sagemaker describe-model --model-name "$model" \
                    --query '{ModelName: ModelName, ModelArn: ModelArn, CreationTime: CreationTime, PrimaryContainer: {Image: PrimaryContainer.Image}, Containers: Containers[].{Image: Image}}'
            done
        done
    done
    ask "inspector2 list-coverage" inspector2/list-coverage "" inspector2 list-coverage \
        --filter-criteria '{"resourceType":[{"comparison":"EQUALS","value":"AWS_ECR_CONTAINER_IMAGE"}]}'
}

# The cluster of kubectl's current context. These answers contain the environment variables of the pods.
kubernetes() {
    command -v kubectl >/dev/null 2>&1 || return 0
    context=$(kubectl config current-context 2>/dev/null) || return 0
    folder=kubernetes/$(printf '%s' "$context" | tr -c 'A-Za-z0-9._-' '_')
    for kinds in pods deployments,statefulsets,daemonsets,cronjobs,jobs; do
        take "$folder/get-$kinds" "\"call\": \"kubectl get\", \"context\": \"$(escaped "$context")\", \"whole\": true" \
            kubectl --context "$context" get "$kinds" -A -o json
    done
}

account=$(aws sts get-caller-identity --query Account --output text) || {
    say "no credentials that the AWS CLI can use"
    exit 2
}
for wanted in $accounts; do
    [ "$wanted" = "$account" ] || say "not asked: account $wanted, because these are credentials of $account: run this again with those of $wanted"
done
case " $accounts " in
"  " | *" $account "*) ;;
*) exit 2 ;;
esac
[ -n "$regions" ] || regions=$(aws configure get region) || {
    say "no region: set AWS_REGION, or write this script with --region"
    exit 2
}
for region in $regions; do
    ecr
    ecs
    functions
    others
done
kubernetes
say "$taken answers in $out, $missing missing. Ask with them: tagfall detect $out LOGS"
[ "$missing" -eq 0 ] || exit 3
