-- Health of an Application for the Application that holds it: its own, once it has been synced. Without this, waves of
-- Applications do not wait for each other.
local hs = { status = "Progressing", message = "Waiting for Argo CD to look at it" }
if obj.status == nil or obj.status.health == nil or obj.status.health.status == nil then
  return hs
end
local is_in_sync = obj.status.sync ~= nil and obj.status.sync.status == "Synced"
local last = obj.status.operationState
local has_synced = last ~= nil and last.phase == "Succeeded"
-- What has made nothing yet has nothing that is unwell.
if obj.status.health.status == "Healthy" and not is_in_sync and not has_synced then
  hs.message = "Waiting for its first sync"
  return hs
end
return { status = obj.status.health.status, message = obj.status.health.message or "" }
