#!/bin/sh
# A stand-in for HTCondor's discovery of GPUs, since there is no GPU here: says what that says on a
# node with two GPUs of the named kind.
# use: condor-gpus.sh MODEL MEMORY_MB CAPABILITY
echo 'DetectedGPUs="CUDA0, CUDA1"'
NAME="DeviceName=\"NVIDIA $1\"; DriverVersion=12.40"
echo "Common=[ Capability=$3; $NAME; GlobalMemoryMb=$2; MaxSupportedVersion=12040; ]"
echo 'CUDA0=[ id="CUDA0"; DeviceUuid="0"; ]'
echo 'CUDA1=[ id="CUDA1"; DeviceUuid="1"; ]'
