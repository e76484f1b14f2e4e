// The QR code of a receipt may carry the receipt's secret behind a "#", which browsers send to nobody. It is taken out
// of the address before anything else happens, and sent once, in the body of the form that a person would fill in.
const SECRET = /^[0-9A-Za-z-]{4,64}$/;

function secretBehind(hash) {
  const behind = hash.slice(1);
  const isPlace = document.getElementById(behind); // within the page, such as #main
  return SECRET.test(behind) && !isPlace ? behind : "";
}

const secret = secretBehind(location.hash);
if (secret) {
  history.replaceState(null, "", location.pathname + location.search);
  const field = document.querySelector("details input[name=secret]");
  if (field) {
    field.value = secret;
    document.documentElement.dataset.leaving = ""; // nothing else sends a form meanwhile
    field.form.submit();
  }
}
